"""The chain at work: no filter can hold up, break or lose a message."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tamis.chain import chain
from tamis.chain.chain import Examination, needed
from tamis.chain.registry import in_order
from tamis.contract.filter import Effect, Filter, Message, Stage
from tamis.contract.finding import Finding, Status
from tamis.message.mail import Seen
from tamis.services import runner
from tamis.services.runner import Runner
from tests.builders import MARIE, PAUL, book, message

RELEASE = threading.Event()
"""Lets the hanging calls of a test go, at its end."""
QUICK = 0.05
PATIENT = 20.0

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


class Waiting(Probe):
    """The same, on the loop."""

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
    "inline": (Probe, "do", {"inline": True}),
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


HANGING = {"thread": (Probe, hang), "loop": (Waiting, hang_async)}


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
    filters = [probe(Waiting, effect=Effect.TAG, name=f"probe_{n}", dear=n > 5) for n in range(10)]
    found = finish(running, *filters)
    assert {one.status for one in found.values()} == {Status.HIT}
    assert len(crossings) == 1


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
    inline = probe(name="inline", stage=Stage.CONNECT, inline=True)
    dear = probe(name="dear", stage=Stage.CONNECT, dear=True)
    filters = in_order([type(early), type(late), type(inline), type(dear)])
    examination = Examination(filters, running, seconds=PATIENT)
    told = message()
    examination.begin(Stage.MAIL, told)
    assert begun.wait(PATIENT)
    assert [one.calls for one in filters if one.name != "probe"] == [0, 0, 0]  # type: ignore[attr-defined]
    found = examination.finish(told, [book("examine_everything = true", filters).policy(MARIE)])
    assert [one.calls for one in filters] == [1, 1, 1, 1]  # type: ignore[attr-defined] # and once only
    assert list(found) == ["probe", "late", "inline", "dear"]


def test_filters_look_again_once_images_and_documents_are_read(running: Runner) -> None:
    """Those that say so, and only when something was read; a second look that fails leaves the first finding."""

    def tell(self: Probe, message: Message) -> Finding:
        self.calls += 1
        if message.mail.seen and self.name == "failing":
            raise ConnectionError("the service went away")
        return self.clear("{seen}", seen=message.mail.seen.text)

    def reading(text: str) -> Callable[[Probe, Message], Finding]:
        def do(self: Probe, message: Message) -> Finding:
            message.seen = Seen(text)
            return self.clear("read")

        return do

    for text in ("in an image", ""):
        again: dict[str, Any] = {"do": tell, "looks_again": True}
        first, failing = (
            probe(**again, inline=True),
            probe(Waiting, name="failing", **again, examine=tell_async),
        )
        other, late = probe(name="other", do=tell), probe(name="late", do=tell, dear=True, spec_id="S30")
        reader = probe(name="reader", do=reading(text), dear=True, spec_id="S22")
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


def test_a_filter_begins_in_the_session_and_goes_to_the_loop_to_wait(running: Runner) -> None:
    here = threading.current_thread()
    seen: list[threading.Thread] = []

    async def go(self: Filter[Any], message: Message) -> Finding:
        seen.append(threading.current_thread())
        await runner.on_loop()
        seen.append(threading.current_thread())
        await asyncio.sleep(0)
        return self.hit("waited")

    found = finish(running, probe(Waiting, examine=go, begins_at_once=True))
    assert found["probe"].status is Status.HIT
    assert seen[0] is here is not seen[1]


def test_what_is_done_by_the_end_of_the_message_needs_no_loop() -> None:
    looping = Runner()
    known = probe(Waiting, stage=Stage.MAIL, begins_at_once=True)
    examination = Examination([known], looping, seconds=PATIENT)
    examination.begin(Stage.MAIL, message())
    assert examination.finish(message(), [book("", [known]).policy(MARIE)])["probe"].status is Status.HIT
    assert known.calls == 1
    assert looping._loop is None


def test_what_waited_since_mail_from_is_not_examined_anew(running: Runner) -> None:
    done = threading.Event()

    async def wait(self: Any, message: Message) -> Finding:
        await runner.on_loop()
        asyncio.get_running_loop().call_later(QUICK, done.set)
        found: Finding = self.do(message)
        return found

    one = probe(Waiting, examine=wait, stage=Stage.MAIL, begins_at_once=True)
    examination = Examination([one], running, seconds=PATIENT)
    examination.begin(Stage.MAIL, message())
    assert done.wait(PATIENT)
    assert examination.finish(message(), [book("", [one]).policy(MARIE)])["probe"].status is Status.HIT
    assert one.calls == 1


SPAM: dict[str, Any] = {"name": "cheap", "spec_id": "S9", "effect": Effect.SPAM}
DEAR: dict[str, Any] = {"name": "dear", "spec_id": "S20", "dear": True}


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
            'mailboxes."paul@example.com".filters = { cheap = { state = "off" }, dear = { state = "off" } }',
            False,
        ),
    ],
)
def test_dear_filters_run_only_for_who_is_undecided(
    running: Runner, form: str, policy: str, runs: bool
) -> None:
    base, _, attributes = FORMS[form]
    cheap, dear = probe(**SPAM), probe(base, **attributes, **DEAR)
    found = finish(running, dear, cheap, policy=policy, recipients=(MARIE, PAUL))
    assert dear.calls == int(runs)
    if not runs:
        assert (found["dear"].status, found["dear"].text()) == (Status.SKIPPED, "already decided")


def test_a_dear_filter_is_not_skipped_for_what_comes_after_it(running: Runner) -> None:
    dear = probe(**DEAR | {"spec_id": "S2"})
    finish(running, dear, probe(**SPAM))
    assert dear.calls == 1


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
