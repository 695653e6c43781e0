"""What S17 and S24 have in common: subjects asked of DNS lists, and the share of lists that have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field as Option

from tamis.base.breaker import Breaker, Breakers
from tamis.base.errors import LeftOutError, ServiceError
from tamis.contract.ask import ask_all
from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Lookup
from tamis.contract.sentences import FEW_LISTS, ON_LISTS
from tamis.contract.service_protocols import Answer
from tamis.language.translation import marked
from tamis.settings.dns_lists import DNSList, ListRefusedError

_MOST_SHOWN = 5
_MOST_CHARACTERS = 200


class ListOptions(FilterOptions):
    """When listings are a hit."""

    share: float = Option(
        50.0, gt=0, le=100, description="percentage of the lists that answered that must list it"
    )
    least: int = Option(1, ge=1, le=100, description="minimum number of lists that must list it")
    leave_out: tuple[str, ...] = Option((), description="zones of lists that don't count")
    quorum: float = Option(
        50.0,
        ge=0,
        le=100,
        description="percentage of the lists that must have answered: the few that do decide nothing alone",
    )
    weights: dict[str, Annotated[float, Option(ge=0, le=100)]] = Option(
        {}, description="weight by zone instead of 1, e.g. { 'bl.spamcop.net' = 0.5 }"
    )


class Asked(NamedTuple):
    """One question: what it is about, the list, and the name to ask for."""

    subject: str
    one: DNSList
    name: str


class OnDNSLists(Filter[ListOptions]):
    """A filter that asks DNS lists.

    The finding keeps, for each subject that is listed anywhere, which lists answered and which of them have it with
    what weight, so that `judge` can hold other shares, weights and selections against it.
    """

    asks = ("dns",)
    options = ListOptions

    def ask(self, message: Message, questions: Sequence[Asked]) -> Asks[Finding]:
        """Ask all lists at once; those that fail, time out, refuse or are left out have not answered."""
        answers = yield from _answers(message.services.breakers, questions)
        answered: dict[str, list[str]] = {}
        listed: dict[str, list[list[object]]] = {}
        silent: dict[str, str] = {}
        missing: dict[str, list[str]] = {}
        for (subject, one, _), answer in zip(questions, answers, strict=True):
            try:
                weight = _weight(one, answer)
            except ServiceError as error:
                silent.setdefault(one.zone, str(error))
                missing.setdefault(subject, []).append(one.zone)
                continue
            answered.setdefault(subject, []).append(one.zone)
            if weight > 0:
                assert isinstance(answer, Answer)
                codes = list(answer.records[:_MOST_SHOWN])
                listed.setdefault(subject, []).append([one.zone, weight, codes])
        facts = {"asked": len({one.subject for one in questions}), "silent": sorted(silent)}
        if not answered:
            because = marked("none of {lists} lists answered: {error}")
            first = next(iter(silent.values()), "")[:_MOST_CHARACTERS]
            return self.unavailable(because, lists=len(silent), error=first, **facts)
        if not listed:
            return self.clear("on no list", **facts)
        subjects = {
            name: {"answered": answered[name], "listed": listed[name], "silent": missing.get(name, [])}
            for name in listed
        }
        shown = "; ".join(
            f"{name} on {len(listed[name])} of {len(answered[name])} lists"
            for name in [*listed][:_MOST_SHOWN]
        )
        return self.hit("{shown}", shown=shown, subjects=subjects, **facts)

    def judge(self, finding: Finding, options: ListOptions, scopes: Scopes) -> Opinion:
        """A hit when enough lists answered for one subject, and enough of these have it."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        left_out = {zone.lower() for zone in options.leave_out}
        weights = {zone.lower(): weight for zone, weight in options.weights.items()}
        few = ""
        for subject, told in finding.facts["subjects"].items():
            answered, silent = told["answered"], told.get("silent", ())
            if left_out:
                answered = [zone for zone in answered if zone not in left_out]
                silent = [zone for zone in silent if zone not in left_out]
            if len(answered) < (len(answered) + len(silent)) * options.quorum / 100 - 1e-9:
                few = few or FEW_LISTS(
                    subject=subject, answered=len(answered), total=len(answered) + len(silent)
                )
                continue
            listed = [(zone, weight) for zone, weight, _ in told["listed"] if zone not in left_out]
            all_of_it = sum(weights.get(zone, 1.0) for zone in answered) if weights else len(answered)
            reached = sum(weights.get(zone, 1.0) * weight for zone, weight in listed)
            # a hair below, so that thirds add up
            if (
                reached > 0
                and len(listed) >= options.least
                and reached >= all_of_it * options.share / 100 - 1e-9
            ):
                zones = ", ".join(zone for zone, _ in listed[:_MOST_SHOWN])
                text = ON_LISTS(subject=subject, listed=len(listed), answered=len(answered), zones=zones)
                return self.opinion(finding, options, hit=True, text=text)
        seen = Finding(self.name, Status.CLEAR, finding.because, finding.facts)
        return self.opinion(seen, options, hit=False, text=few)


def _weight(one: DNSList, answer: Answer | ServiceError) -> float:
    """What a listing weighs, 0 for none. Raises ServiceError where the list has not answered."""
    if isinstance(answer, ServiceError):
        raise answer
    return one.weight(answer.records) if answer.records else 0.0


def _answers(breakers: Breakers, questions: Sequence[Asked]) -> Asks[list[Answer | ServiceError]]:
    """The answers in order. Each list has a breaker: a dead one costs a message its deadline now and then only."""
    asked: dict[str, tuple[Breaker, bool]] = {}
    refused: dict[str, ServiceError] = {}
    zones = {question.one.zone: question.one.part for question in questions}
    for zone, part in zones.items():
        breaker = breakers.part(part)
        try:
            asked[zone] = breaker, breaker.admit()
        except LeftOutError as error:
            refused[zone] = error
    silent: dict[str, ServiceError] = {}
    heard: set[str] = set()
    try:
        told = iter(
            (yield from ask_all([Lookup(name, "A") for _, one, name in questions if one.zone in asked]))
        )
        answers = [refused.get(one.zone) or _served(one, next(told)) for _, one, _ in questions]
        for (_, one, _), answer in zip(questions, answers, strict=True):
            if isinstance(answer, Answer):
                heard.add(one.zone)
            elif not isinstance(answer, LeftOutError):  # the DNS server's failure is not the list's
                silent[one.zone] = answer
        return answers
    finally:
        for zone, (breaker, trial) in asked.items():
            if zone in heard:
                breaker.answered()
            elif zone in silent:
                breaker.failed(silent[zone], trial=trial)
            else:
                breaker.let_go(trial=trial)


def _served(one: DNSList, answer: Answer | ServiceError) -> Answer | ServiceError:
    """The answer, unless it is the list's refusal to give any: that is a failure like others, for its breaker too."""
    if isinstance(answer, Answer) and answer.records:
        try:
            one.weight(answer.records)
        except ListRefusedError as error:
            return error
    return answer
