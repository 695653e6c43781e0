"""The chain at work: no filter can hold up, break or lose a message."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tamis.base.errors import ServiceError
from tamis.chain import examination as chain
from tamis.chain.examination import Examination, needed
from tamis.chain.registry import in_order
from tamis.contract.ask import ask, ask_all
from tamis.contract.filter import Effect, Filter, Message, Stage
from tamis.contract.finding import Finding, Revealed, Status
from tamis.contract.questions import Compute, Question, Take
from tamis.contract.recording import PlayedOtherwiseError, Recording
from tamis.contract.service_protocols import Services
from tamis.message.mail import Seen
from tamis.services import runner
from tamis.services.runner import Runner
from tests.builders import MARIE, PAUL, book, message

RELEASE = threading.Event()
"""Lets the hanging calls of a test go, at its end."""
QUICK = 0.05
PATIENT = 60.0

Told = list[str]


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    RELEASE.clear()
    yield
    RELEASE.set()


@pytest.fixture(scope="module")
def running() -> Runner:
    return Runner()


class Probe(Filter):
    """Does as it is told by `does`, and counts."""

    name = "probe"
    spec_id = "S20"
    summary = "a probe"

    def __init__(self) -> None:
        self.calls = 0

    def do(self, message: Message) -> Finding:
        self.calls += 1
        return self.hit("seen {what}", what="it")

    def examine(self, message: Message) -> Any:
        return self.do(message)


@dataclass(frozen=True)
class Wonder(Question[str]):
    """Is answered by what it says, in a later turn of the loop; `after` says when, None never."""

    what: str = "it"
    after: float | None = 0.0

    def ask(self, services: Services, take: Take[str]) -> None:
        if self.after is not None:
            asyncio.get_running_loop().call_later(self.after, take, self.what)


class Asking(Probe):
    """The same, once a question is answered."""

    def examine(self, message: Message) -> Any:
        yield from ask(Wonder())
        found: Any = self.do(message)
        return found


class Waiting(Probe):
    """The same of another package, on the loop."""

    async def do_async(self, message: Message) -> Finding:
        return self.do(message)

    async def examine(self, message: Message) -> Any:
        return await self.do_async(message)


def hang(self: Filter[Any], message: Message) -> Finding:
    RELEASE.wait(PATIENT)
    return self.hit("too late")


async def hang_async(self: Filter[Any], message: Message) -> Finding:
    await asyncio.sleep(PATIENT)
    return self.hit("too late")


def fail(error: BaseException) -> Callable[..., Finding]:
    def examine(self: Filter[Any], message: Message) -> Finding:
        raise error

    return examine


def give(found: object) -> Callable[..., object]:
    return lambda self, message: found


FORMS: dict[str, tuple[type[Probe], str, dict[str, object]]] = {
    "plain": (Probe, "do", {"blocks": False}),
    "asks": (Asking, "do", {}),
    "thread": (Probe, "do", {}),
    "loop": (Waiting, "do", {}),
}


def probe(base: type[Probe] = Probe, **attributes: Any) -> Any:
    """A filter of its own class, made as the registry makes it."""
    made = type("Made", (base,), {"__doc__": "A probe.", "deadline": PATIENT, **attributes})
    return in_order([made])[0]


def of_form(form: str, do: Callable[..., object] | None = None) -> Any:
    base, method, attributes = FORMS[form]
    return probe(base, **attributes, **({method: do} if do else {}))


def finish(
    running: Runner,
    *filters: Filter[Any],
    policy: str = "",
    recipients: Sequence[str] = (MARIE,),
    **more: Any,
) -> dict[str, Finding]:
    seconds = more.pop("seconds", PATIENT)
    ordered = sorted(filters, key=lambda one: int(one.spec_id[1:]))
    policies = [book(policy, ordered).policy(r) for r in recipients]
    return Examination(ordered, running, seconds=seconds).finish(message(), policies, **more)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_examine_gives_its_finding(running: Runner, form: str) -> None:
    one = of_form(form)
    found = finish(running, one)["probe"]
    assert (found.status, found.text(), one.calls) == (Status.HIT, "seen it", 1)
    assert 0 < found.seconds < PATIENT


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "error",
    [
        ValueError("broken"),
        KeyError("x"),
        RecursionError(),
        MemoryError(),
        SystemExit(3),
        TimeoutError(),
        OSError(),
    ],
    ids=repr,
)
def test_what_a_filter_raises_makes_it_unavailable(
    running: Runner, form: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        found = finish(running, of_form(form, fail(error)))["probe"]
    assert found.status is Status.UNAVAILABLE
    assert found.text()
    if not isinstance(error, TimeoutError):
        assert "filter probe failed" in caplog.text
        assert type(error).__name__ in found.text()
    assert finish(running, of_form(form))["probe"].status is Status.HIT  # and the next message is examined


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "rubbish",
    [
        *(None, True, "hit", ("probe", "hit")),
        Finding("probe", "nonsense"),  # type: ignore[arg-type]
        Finding("probe", Status.HIT, "{missing}"),
        Finding("probe", Status.HIT, "{unclosed"),
        Finding("probe", Status.HIT, "x", {"facts": 1j}),
        Finding("probe", Status.HIT, "x", {"facts": b"octets"}),
        Finding("probe", Status.HIT, "x", 3),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_rubbish_makes_it_unavailable(running: Runner, form: str, rubbish: object) -> None:
    found = finish(running, of_form(form, give(rubbish)))["probe"]
    assert found.status is Status.UNAVAILABLE
    assert found.text().startswith("failed: ")


@pytest.mark.parametrize("form", FORMS)
def test_a_finding_bears_its_filters_name(running: Runner, form: str) -> None:
    one = of_form(form, give(Finding("somebody_else", Status.HIT)))
    assert finish(running, one)["probe"].filter == "probe"


def hang_asking(self: Filter[Any], message: Message) -> Any:
    yield from ask(Wonder(after=None))
    return self.hit("too late")


HANGING = {"thread": (Probe, hang), "asks": (Asking, hang_asking), "loop": (Waiting, hang_async)}


def hanging(form: str, **attributes: Any) -> Any:
    base, examine = HANGING[form]
    return probe(base, examine=examine, **attributes)


@pytest.mark.parametrize("form", HANGING)
def test_a_filter_that_hangs_is_unavailable_at_its_deadline(running: Runner, form: str) -> None:
    begun = time.monotonic()
    found = finish(running, hanging(form, deadline=QUICK), probe(name="other"))
    assert time.monotonic() - begun < PATIENT / 4
    assert found["probe"].status is Status.UNAVAILABLE
    assert found["probe"].text() == f"no answer within {QUICK} s"
    assert found["probe"].seconds >= QUICK
    assert found["other"].status is Status.HIT


@pytest.mark.parametrize("form", HANGING)
def test_the_message_has_its_time_too(running: Runner, form: str) -> None:
    begun = time.monotonic()
    found = finish(running, hanging(form), probe(name="other"), seconds=QUICK)
    assert time.monotonic() - begun < PATIENT / 4
    assert found["probe"] == Finding("probe", Status.UNAVAILABLE, "no answer within the message's time")
    assert found["other"].status is Status.HIT


def test_filters_wait_at_the_same_time(running: Runner) -> None:
    gate = threading.Barrier(8, timeout=PATIENT)

    def meet(self: Filter[Any], message: Message) -> Finding:
        gate.wait()
        return self.hit("met")

    found = finish(running, *(probe(name=f"probe_{n}", do=meet) for n in range(8)))
    assert {one.status for one in found.values()} == {Status.HIT}


def test_the_session_crosses_to_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crossing costs more than most filters."""
    crossings: list[object] = []
    running = Runner()
    call = running.call

    def count(one: Callable[[], object]) -> None:
        crossings.append(one)
        call(one)

    monkeypatch.setattr(running, "call", count)
    waiting = [
        probe(base, effect=Effect.TAG, name=f"{base.__name__.lower()}_{n}")
        for n in range(6)
        for base in (Asking, Waiting)
    ]
    free = [probe(effect=Effect.TAG, name=f"free_{n}", expensive=True, blocks=False) for n in range(4)]
    found = finish(running, *waiting, *free)
    assert {one.status for one in found.values()} == {Status.HIT}
    assert len(crossings) == 1
    finish(running, *waiting, probe(Asking, name="costly", effect=Effect.TAG, expensive=True))
    assert len(crossings) == 3  # and once for an expensive one that really asks


def test_calls_that_hang_do_not_pile_up(running: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_HANGING", 2)
    one = hanging("thread", deadline=QUICK, name="piling")
    texts = [finish(running, one)["piling"].text() for _ in range(4)]
    assert [text.startswith("no answer") for text in texts] == [True, True, False, False]
    assert texts[3] == "2 calls of piling are still under way"
    RELEASE.set()
    until = time.monotonic() + PATIENT
    while "still under way" in finish(running, one)["piling"].text() and time.monotonic() < until:
        time.sleep(0.005)
    assert finish(running, one)["piling"].status is Status.HIT  # they came back: there is room again


def test_a_filter_whose_own_work_was_cancelled_is_unavailable(running: Runner) -> None:
    async def cancelled(self: Filter[Any], message: Message) -> Finding:
        raise asyncio.CancelledError

    found = finish(running, probe(Waiting, examine=cancelled))["probe"]
    assert (found.status, found.text()) == (Status.UNAVAILABLE, "cancelled")


def test_the_pulse_beats_while_somebody_waits(running: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PULSE_SECONDS", 0.01)
    beats: list[float] = []
    finish(running, hanging("loop", deadline=0.1), pulse=lambda: beats.append(time.monotonic()))
    assert len(beats) >= 3


def test_a_pulse_that_fails_ends_the_examination(running: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PULSE_SECONDS", 0.01)

    def gone() -> None:
        raise ConnectionError("Postfix went away")

    with pytest.raises(ConnectionError):
        finish(running, hanging("loop", deadline=1.0), pulse=gone)


def test_waiting_begins_as_soon_as_the_input_is_known(running: Runner) -> None:
    begun = threading.Event()

    def note(self: Probe, message: Message) -> Finding:
        begun.set()
        self.calls += 1
        return self.hit("seen")

    early = probe(do=note, stage=Stage.MAIL)
    late = probe(name="late", stage=Stage.MESSAGE)
    plain = probe(name="plain", stage=Stage.CONNECT, blocks=False)
    expensive = probe(name="expensive", stage=Stage.CONNECT, expensive=True)
    filters = in_order([type(early), type(late), type(plain), type(expensive)])
    examination = Examination(filters, running, seconds=PATIENT)
    told = message()
    examination.begin(Stage.MAIL, told)
    assert begun.wait(PATIENT)
    assert [one.calls for one in filters if one.name != "probe"] == [0, 0, 0]  # type: ignore[attr-defined]
    found = examination.finish(told, [book("examine_everything = true", filters).policy(MARIE)])
    assert [one.calls for one in filters] == [1, 1, 1, 1]  # type: ignore[attr-defined] # and once only
    assert list(found) == ["probe", "late", "plain", "expensive"]


def test_filters_look_again_once_images_and_documents_are_read(running: Runner) -> None:
    """Those that say so, and only when something was read; a second look that fails leaves the first finding."""

    def tell(self: Probe, message: Message) -> Finding:
        self.calls += 1
        if message.mail.seen and self.name == "failing":
            raise ConnectionError("the service went away")
        return self.clear("{seen}", seen=message.mail.seen.text)

    def reading(text: str) -> Callable[[Probe, Message], Revealed]:
        def do(self: Probe, message: Message) -> Revealed:
            return Revealed(self.clear("read"), Seen(text))

        return do

    for text in ("in an image", ""):
        again: dict[str, Any] = {"do": tell, "looks_again": True}
        first, failing = (
            probe(**again, blocks=False),
            probe(Waiting, name="failing", **again, examine=tell_async),
        )
        other, late = probe(name="other", do=tell), probe(name="late", do=tell, expensive=True, spec_id="S30")
        reader = probe(Asking, name="reader", do=reading(text), expensive=True, spec_id="S22")
        filters = in_order([type(one) for one in (first, failing, other, reader, late)])
        found = Examination(filters, running, seconds=PATIENT).finish(
            message(), [book("", filters).policy(MARIE)]
        )
        assert {name: one.text() for name, one in found.items()} == {
            "probe": text,
            "failing": "",
            "other": "",
            "reader": "read",
            "late": text,
        }
        calls = {one.name: one.calls for one in filters}  # type: ignore[attr-defined]
        assert (calls["probe"], calls["failing"], calls["other"], calls["late"]) == (
            (2, 2, 1, 1) if text else (1, 1, 1, 1)
        )


async def tell_async(self: Any, message: Message) -> Finding:
    found: Finding = self.do(message)
    return found


def test_what_nobody_wants_is_not_run_and_what_was_begun_is_cancelled(running: Runner) -> None:
    unwanted = probe(Waiting, examine=hang_async, stage=Stage.MAIL)
    examination = Examination([unwanted], running, seconds=PATIENT)
    examination.begin(Stage.MAIL, message())
    assert (
        examination.finish(message(), [book('[filters.probe]\nstate = "off"', [unwanted]).policy(MARIE)])
        == {}
    )


def test_needed_is_what_anybody_has_on_or_in_shadow() -> None:
    filters = [probe(name=name) for name in ("one", "two", "three")]
    policies = book(
        'filters = { one = { state = "off" }, two = { state = "shadow" }, three = { state = "off" } }\n'
        'mailboxes."paul@example.com".filters.three.state = "on"',
        filters,
    )
    assert [one.name for one in needed(filters, [policies.policy(MARIE)])] == ["two"]
    assert [one.name for one in needed(filters, map(policies.policy, (MARIE, PAUL)))] == ["two", "three"]


def test_abandon_cancels_what_is_under_way(running: Runner) -> None:
    began, ended = threading.Event(), threading.Event()

    async def watch(self: Filter[Any], message: Message) -> Finding:
        began.set()
        try:
            await asyncio.sleep(PATIENT)
        finally:
            ended.set()
        return self.clear()

    examination = Examination([probe(Waiting, examine=watch)], running, seconds=PATIENT)
    examination.begin(Stage.MESSAGE, message())
    assert began.wait(PATIENT)
    examination.abandon()
    assert ended.wait(PATIENT)


def test_first_steps_are_done_in_the_session_and_later_ones_on_the_loop(running: Runner) -> None:
    here = threading.current_thread()
    seen: list[threading.Thread] = []

    def go(self: Filter[Any], message: Message) -> Any:
        seen.append(threading.current_thread())
        yield from ask(Known())
        seen.append(threading.current_thread())
        yield from ask(Wonder())
        seen.append(threading.current_thread())
        return self.hit("waited")

    found = finish(running, probe(Asking, examine=go))
    assert found["probe"].status is Status.HIT
    assert seen[0] is seen[1] is here is not seen[2]


@dataclass(frozen=True)
class Known(Question[str]):
    """Is answered at once."""

    def known(self, services: Services) -> str:
        return "known"


def test_what_is_done_by_the_end_of_the_message_needs_no_loop() -> None:
    looping = Runner()

    def know(self: Any, message: Message) -> Any:
        yield from ask(Known())
        return self.do(message)

    known = probe(Asking, stage=Stage.MAIL, examine=know)
    examination = Examination([known], looping, seconds=PATIENT)
    examination.begin(Stage.MAIL, message())
    assert examination.finish(message(), [book("", [known]).policy(MARIE)])["probe"].status is Status.HIT
    assert known.calls == 1
    assert looping._loop is None


def test_what_waited_since_mail_from_is_not_examined_anew(running: Runner) -> None:
    one = probe(Asking, stage=Stage.MAIL)
    examination = Examination([one], running, seconds=PATIENT)
    examination.begin(Stage.MAIL, message())
    until = time.monotonic() + PATIENT
    while not one.calls and time.monotonic() < until:
        time.sleep(0.001)
    assert examination.finish(message(), [book("", [one]).policy(MARIE)])["probe"].status is Status.HIT
    assert one.calls == 1


def test_a_filter_goes_on_when_its_own_answers_are_there(running: Runner) -> None:
    """One that waits for long holds up nobody else's second question."""
    order: list[str] = []

    def quick(self: Filter[Any], message: Message) -> Any:
        for number in range(5):
            yield from ask(Wonder())
            order.append(f"quick {number}")
        return self.hit("quick")

    def slow(self: Filter[Any], message: Message) -> Any:
        yield from ask(Wonder(after=0.2))
        order.append("slow")
        return self.hit("slow")

    found = finish(running, probe(Asking, examine=quick), probe(Asking, name="slow", examine=slow))
    assert {one.status for one in found.values()} == {Status.HIT}
    assert order == [*(f"quick {number}" for number in range(5)), "slow"]


def test_answers_come_in_the_order_of_their_questions(running: Runner) -> None:
    def go(self: Filter[Any], message: Message) -> Any:
        questions = [Wonder("late", 0.02), Known(), Wonder("early"), Failing(), Wonder("middle", 0.01)]
        answers = yield from ask_all(questions)
        return self.hit("{told}", told=", ".join(map(str, answers)))

    found = finish(running, probe(Asking, examine=go))["probe"]
    assert found.text() == "late, known, early, no answer, middle"


@dataclass(frozen=True)
class Failing(Question[str]):
    """Has no answer."""

    def ask(self, services: Services, take: Take[str]) -> None:
        take(ServiceError("no answer"))


def test_what_a_service_raises_when_it_is_asked_is_the_answer(running: Runner) -> None:
    class Broken(Question[str]):
        def ask(self, services: Services, take: Take[str]) -> None:
            raise ServiceError("not today")

    def go(self: Filter[Any], message: Message) -> Any:
        yield from ask(Broken())

    found = finish(running, probe(Asking, examine=go))["probe"]
    assert (found.status, found.text()) == (Status.UNAVAILABLE, "not today")


def test_what_several_want_is_worked_out_once_whoever_stops_waiting(running: Runner) -> None:
    worked: list[str] = []

    def work() -> Any:
        yield from ask(Wonder(after=2 * QUICK))
        worked.append("done")
        return "the work"

    def go(self: Filter[Any], message: Message) -> Any:
        return self.hit((yield from message.once("work", work)))

    filters = [probe(Asking, name=f"probe_{n}", examine=go) for n in range(3)]
    hasty = probe(Asking, name="hasty", examine=go, deadline=QUICK)
    found = finish(running, hasty, *filters)
    assert found.pop("hasty").status is Status.UNAVAILABLE
    assert {one.text() for one in found.values()} == {"the work"}
    assert worked == ["done"]


def test_what_work_for_several_raises_is_raised_to_each(running: Runner) -> None:
    def work() -> Any:
        yield from ask(Wonder())
        raise ServiceError("it went wrong")

    def go(self: Filter[Any], message: Message) -> Any:
        return self.hit((yield from message.once("work", work)))

    found = finish(running, *(probe(Asking, name=f"probe_{n}", examine=go) for n in range(3)))
    assert {(one.status, one.text()) for one in found.values()} == {(Status.UNAVAILABLE, "it went wrong")}


def test_a_second_look_knows_what_the_first_one_worked_out(running: Runner) -> None:
    worked: list[str] = []

    def work() -> Any:
        yield from ask(Wonder())
        worked.append("done")
        return "the work"

    def go(self: Filter[Any], message: Message) -> Any:
        told = yield from message.once("work", work)
        return self.clear("{told} {seen}", told=told, seen=message.mail.seen.text)

    def read(self: Filter[Any], message: Message) -> Any:
        yield from ask(Wonder())
        return Revealed(self.clear("read"), Seen("in an image"))

    again = probe(Asking, examine=go, looks_again=True)
    found = finish(running, again, probe(Asking, name="reader", examine=read, expensive=True, spec_id="S22"))
    assert found["probe"].text() == "the work in an image"
    assert worked == ["done"]


def test_what_is_recorded_can_be_played_again(running: Runner) -> None:
    def work() -> Any:
        return (yield from ask(Wonder("shared")))

    def go(self: Filter[Any], message: Message) -> Any:
        answers = yield from ask_all([Wonder("a"), Failing(), Known()])
        shared = yield from message.once("work", work)
        length = yield from ask(Compute("length", lambda: len(shared)))
        return self.hit("{told}", told=[*map(str, answers), shared, length])

    filters = [probe(Asking, name=f"probe_{n}", examine=go) for n in range(2)]
    recording = Recording()
    examination = Examination(filters, running, seconds=PATIENT, recording=recording)
    live = examination.finish(message(), [book("", filters).policy(MARIE)])
    again = message()
    for one in filters:
        played = recording.play(one, again)
        assert isinstance(played, Finding)
        assert replace(played, seconds=0.0) == replace(live[one.name], seconds=0.0)
    with pytest.raises(PlayedOtherwiseError, match="asks more than it did"):
        Recording().play(filters[0], message())


SPAM: dict[str, Any] = {"name": "cheap", "spec_id": "S9", "effect": Effect.SPAM}
EXPENSIVE: dict[str, Any] = {"name": "costly", "spec_id": "S20", "expensive": True}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("policy", "runs"),
    [
        ("", False),
        ("examine_everything = true", True),
        ('filters.cheap.effect = "score"', True),
        ('filters.cheap.state = "shadow"', True),
        ('filters.cheap.state = "off"', True),
        ('domains."example.com".filters.cheap.state = "off"', True),
        ('mailboxes."paul@example.com".filters.cheap.state = "off"', True),  # one of two is undecided
        ('mailboxes."paul@example.com".examine_everything = true', True),
        ('mailboxes."paul@example.com".enabled = false', False),
        (
            'mailboxes."paul@example.com".filters = { cheap = { state = "off" }, costly = { state = "off" } }',
            False,
        ),
    ],
)
def test_expensive_filters_run_only_for_who_is_undecided(
    running: Runner, form: str, policy: str, runs: bool
) -> None:
    base, _, attributes = FORMS[form]
    cheap, costly = probe(**SPAM), probe(base, **attributes, **EXPENSIVE)
    found = finish(running, costly, cheap, policy=policy, recipients=(MARIE, PAUL))
    assert costly.calls == int(runs)
    if not runs:
        assert (found["costly"].status, found["costly"].text()) == (Status.SKIPPED, "already decided")


def test_an_expensive_filter_is_not_skipped_for_what_comes_after_it(running: Runner) -> None:
    costly = probe(**EXPENSIVE | {"spec_id": "S2"})
    finish(running, costly, probe(**SPAM))
    assert costly.calls == 1


def test_a_cancelled_coroutine_is_no_error_to_the_runner(running: Runner) -> None:
    outcome = running.submit(asyncio.sleep(PATIENT))
    assert not outcome.wait(QUICK)
    outcome.cancel()
    assert outcome.wait(PATIENT)
    with pytest.raises(asyncio.CancelledError):
        outcome.result()
    alive = running.submit(asyncio.sleep(0, "alive"))
    assert alive.wait(PATIENT)
    assert alive.result() == "alive"


def test_a_call_that_fails_stops_nobody(running: Runner, caplog: pytest.LogCaptureFixture) -> None:
    running.call(lambda: 1 / 0)
    alive = running.submit(asyncio.sleep(0, "alive"))
    assert alive.wait(PATIENT)
    assert "ZeroDivisionError" in caplog.text
