"""How tests answer what filters ask: from what is written down, or by the services of the message as the chain does."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from tamis.chain.examination import go_on_with
from tamis.chain.inquiry import FilterLook, look_at
from tamis.contract.ask import Answerer
from tamis.contract.filter import Filter, Message
from tamis.contract.questions import Lookup, Question
from tamis.contract.service_protocols import Answer
from tamis.services.runner import Runner

_RUNNER = Runner()
_SECONDS = 60.0


class Written(Protocol):
    """A DNS whose answers are written down."""

    def answer(self, name: str, rdtype: str) -> Answer:
        """One answer. Raises ServiceError."""


def from_dns(dns: Written) -> Answerer:
    """Answerer look-ups, and nothing else (tamis.contract.ask.answered)."""

    def answers(question: Question[Any]) -> Answer:
        assert isinstance(question, Lookup), question
        return dns.answer(question.name, question.rdtype)

    return answers


def looked(one: Filter[Any], message: Message) -> FilterLook:
    """A filter's look at a message, whose services answer."""
    look = look_at(one, message)
    assert isinstance(look, FilterLook)
    if not look.is_over:
        done = threading.Event()
        _RUNNER.call(lambda: go_on_with([look], done.set))
        assert done.wait(_SECONDS)
    return look
