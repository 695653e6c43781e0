"""How filters ask: `answer = yield from ask(question)`, and how anybody answers them, without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tamis.base.errors import ServiceError, anew
from tamis.contract.memos import Once, SharedWork
from tamis.contract.questions import PENDING, Asks, Compute, Question

T = TypeVar("T")

Answerer = Callable[[Question[Any]], Any]
"""Answerer one question; raises ServiceError where there is no answer."""


def ask(question: Question[T]) -> Asks[T]:
    """The answer to one question. Raises ServiceError where there is none."""
    (answer,) = yield (question,)
    if isinstance(answer, Exception):
        raise anew(answer)
    found: T = answer
    return found


def ask_all(questions: Sequence[Question[T]]) -> Asks[list[T | ServiceError]]:
    """The answers to questions that are asked together, in their order, the error in the place of one that has none."""
    if not questions:
        return []
    answers = yield questions
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, ServiceError):
            raise answer  # no service's failure: a mistake
    return list(answers)


def ask_each(questions: Sequence[Question[T]]) -> Asks[list[T]]:
    """The answers to questions that are asked together, in their order. Raises the first error among them."""
    answers = (yield questions) if questions else ()
    for answer in answers:
        if isinstance(answer, Exception):
            raise anew(answer)
    return list(answers)


def compute(name: str, call: Callable[[], T], *, long: bool) -> Asks[T]:
    """The result of a pure function: computed here, or in a thread where it takes long. Raises what it raises."""
    return (yield from ask(Compute(name, call))) if long else call()


def answered(steps: Asks[T], answers: Answerer) -> T:
    """What comes of an examination whose questions are answered so: the whole of it, here and now.

    A filter is a function of message and answers, and this is how it is called as one. Computations, and what is
    worked out once a message, are made here.
    """
    told: list[Any] | None = None
    try:
        while True:
            questions = next(steps) if told is None else steps.send(told)
            told = [_answer(one, answers) for one in questions]
    except StopIteration as ended:
        result: T = ended.value
        return result


def _answer(question: Question[Any], answers: Answerer) -> Any:
    try:
        if isinstance(question, Once):
            return finished(question.work, answers)
        if isinstance(question, Compute):
            return question.call()
        return answers(question)
    except Exception as error:  # noqa: BLE001 - the answer, whatever it is: who asked raises it
        return error


def finished(work: SharedWork[T], answers: Answerer) -> T:
    """The result of work that is done once a message, done now if nobody did it yet."""
    if work.outcome is PENDING:
        try:
            work.settle(answered(work.steps, answers))
        except Exception as error:  # noqa: BLE001 - kept for everybody who asks
            work.settle(error)
    return work.result()
