"""`benchmarks/attacks` in small: nobody innocent is deferred, held or locked out, and who means it is refused."""

from __future__ import annotations

import pytest

from benchmarks.attacks_run import Attacks, attacked

pytestmark = pytest.mark.real


def test_nobody_innocent_is_hit() -> None:
    with attacked() as running:
        outcomes = {one.attack: one for one in Attacks(running, trap_mails=60).run()}
    assert [name for name, one in outcomes.items() if one.harmed] == []
    assert outcomes["a spammer (should be refused)"].refused >= 6
