"""The breaker's states, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.breaker import Breaker, Breakers, PartState
from tamis.base.breaker_limits import BreakerLimits
from tamis.base.errors import LeftOutError, ServiceError
from tests.builders import PROPERTY

LIMITS = BreakerLimits(failures=3, pause=10, longest=25)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(*, checked: bool = False) -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker("clamd one", LIMITS, checked=checked, clock=clock), clock


def call(breaker: Breaker, *, error: BaseException | None = None, check: bool = True) -> bool:
    """One call as a checked part's caller makes it; whether it was a trial. `error` is what comes after the check."""
    trial = False
    with (
        suppress(*((type(error),) if error else ()), *(() if check else (ServiceError,))),
        breaker.call() as one,
    ):
        trial = one.is_trial
        if trial:
            one_check(well=check)
            one.passed()
        if error is not None:
            raise error
    return trial


def one_check(*, well: bool) -> None:
    if not well:
        raise ServiceError("no answer to the check")


def fail(breaker: Breaker, error: BaseException | None = None) -> bool:
    """One call that fails, without a check before it; whether it was a trial."""
    error = error or ServiceError("no answer")
    trial = False
    with suppress(type(error)), breaker.call() as one:
        trial = one.is_trial
        raise error
    return trial


def succeed(breaker: Breaker) -> bool:
    """One call that is answered; whether it was a trial."""
    with breaker.call() as one:
        return one.is_trial


def refused(breaker: Breaker) -> bool:
    """Whether a call is refused now; it says nothing of the part."""
    try:
        breaker.let_go(trial=breaker.admit())
    except LeftOutError:
        return True
    return False


def test_failures_in_a_row_open_it_and_one_trial_after_the_pause_closes_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    breaker, clock = made()
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            fail(breaker)
        succeed(breaker)  # not in a row
        for _ in range(3):
            fail(breaker)
        for _ in range(50):
            assert refused(breaker)
        clock.now += 9.9
        assert refused(breaker)
        clock.now += 0.2
        with breaker.call() as one:
            assert one.is_trial
            assert refused(breaker)  # one trial at a time
        assert [succeed(breaker) for _ in range(3)] == [False] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "clamd one is left out for 10 s after 3 failures: no answer",
        "clamd one answers again",
    ]


def test_each_failed_trial_doubles_the_pause_up_to_the_longest(caplog: pytest.LogCaptureFixture) -> None:
    breaker, clock = made()
    for _ in range(3):
        fail(breaker)
    for pause in (10, 20, 25, 25):
        clock.now += pause - 0.1
        assert refused(breaker)
        clock.now += 0.2
        fail(breaker)
    assert len(caplog.records) == 1  # one outage is said once
    clock.now += 25.1
    succeed(breaker)
    for _ in range(3):
        fail(breaker)
    clock.now += 10.1  # the pause begins anew
    assert succeed(breaker)


def test_the_reason_names_part_time_and_failures() -> None:
    breaker, _ = made()
    for _ in range(3):
        fail(breaker)
    with pytest.raises(
        LeftOutError, match=r"^clamd one left out until \d\d:\d\d:\d\d after 3 failures: no answer$"
    ):
        breaker.admit()


@pytest.mark.parametrize("error", [ValueError("a mistake"), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_is_not_the_parts_fault_says_nothing(error: BaseException) -> None:
    breaker, clock = made()
    for _ in range(9):
        fail(breaker, error)
    assert not breaker.is_left_out
    for _ in range(3):
        fail(breaker)
    clock.now += 10.1
    fail(breaker, error)  # a trial whose caller gave up
    assert succeed(breaker)  # so the next is the trial


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionRefusedError("refused"), EOFError(), ServiceError("x")]
)
def test_what_is(error: BaseException) -> None:
    breaker, _ = made()
    for _ in range(3):
        fail(breaker, error)
    assert breaker.is_left_out


def test_an_inner_parts_refusal_is_no_failure_of_the_outer_one() -> None:
    inner, outer = Breaker("inner", BreakerLimits(failures=1)), Breaker("outer", BreakerLimits(failures=1))
    fail(inner)
    with pytest.raises(LeftOutError), outer.call():
        inner.admit()
    assert not outer.is_left_out


def test_a_checked_part_is_left_out_only_when_its_check_fails() -> None:
    """Mail that makes a scanner late must not switch it off."""
    breaker, clock = made(checked=True)
    late = TimeoutError("the file took too long")
    for _ in range(3):
        assert not fail(breaker, late)
    assert not breaker.is_left_out
    for _ in range(4):  # the check goes well each time it is due, and bad files go on being bad
        assert call(breaker, error=late)
        assert [fail(breaker, late) for _ in range(2)] == [False, False]
    assert not breaker.is_left_out
    assert call(breaker, check=False)
    assert refused(breaker)
    clock.now += 10.1
    assert call(breaker)
    assert not breaker.is_left_out


def test_others_go_on_while_a_suspected_part_is_tried() -> None:
    breaker, _ = made(checked=True)
    for _ in range(3):
        fail(breaker)
    with suppress(TimeoutError), breaker.call() as trial:
        assert trial.is_trial
        assert not succeed(breaker)
        raise TimeoutError
    assert not breaker.is_left_out  # the other one's answer ended the trial


def test_an_answer_to_a_call_from_before_closes_it() -> None:
    breaker, _ = made()
    with breaker.call():
        for _ in range(3):
            fail(breaker)
        assert breaker.is_left_out
    assert not breaker.is_left_out


def test_a_failure_of_a_call_from_before_does_not_prolong_it() -> None:
    breaker, clock = made()
    late = breaker.admit()
    for _ in range(3):
        fail(breaker)
    clock.now += 10.1
    breaker.failed("late", trial=late)
    assert succeed(breaker)


def test_certain_failures_need_no_second_one() -> None:
    breaker, _ = made(checked=True)
    breaker.failed("nothing listens there", certain=True)
    assert breaker.is_left_out


def test_states_can_be_handed_on() -> None:
    breakers = Breakers(LIMITS)
    fail(breakers.part("a"))
    for _ in range(3):
        fail(breakers.part("b"))
    assert breakers.part("a") is breakers.part("a")
    first, second = (PartState.from_dict(one.to_dict()) for one in breakers.states())
    assert (first.part, first.left_out_until, first.failures_in_a_row, first.openings) == ("a", 0.0, 1, 0)
    assert (second.part, second.failures, second.openings, second.reason) == ("b", 3, 1, "no answer")
    assert second.left_out_until > 0


def give_up(breaker: Breaker) -> bool:
    return fail(breaker, asyncio.CancelledError())


def bad_check(breaker: Breaker) -> bool:
    return call(breaker, check=False)


@PROPERTY
@given(st.lists(st.tuples(st.sampled_from("sfctb"), st.integers(0, 30)), max_size=60), st.booleans())
def test_it_never_stays_shut(steps: list[tuple[str, int]], checked: bool) -> None:
    """Whatever comes, an answer after the longest pause opens the way again, and nothing else raises."""
    breaker, clock = made(checked=checked)
    for step, seconds in steps:
        clock.now += seconds
        with suppress(LeftOutError):
            {"s": succeed, "f": fail, "c": give_up, "t": call, "b": bad_check}[step](breaker)
    clock.now += LIMITS.longest
    assert succeed(breaker) in (True, False)
    assert not breaker.is_left_out
    assert not breaker.is_doubtful


def test_many_threads_make_one_trial() -> None:
    breaker, clock = made()
    for _ in range(3):
        fail(breaker)
    clock.now += 10.1
    gate, trials, lock = threading.Barrier(16), 0, threading.Lock()

    def work() -> None:
        nonlocal trials
        gate.wait()
        try:
            if breaker.admit():
                with lock:
                    trials += 1
        except LeftOutError:
            pass

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trials == 1
