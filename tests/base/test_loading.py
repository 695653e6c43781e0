"""Loading code without looks for cycles."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from tamis.base.loading import loading

_LOADS = """
import gc
from tamis.base.loading import loading
with loading():
    pass
print(gc.get_freeze_count())
with loading():
    import decimal
print(gc.get_freeze_count())
"""


def test_looks_for_cycles_go_on_after_it_and_after_an_error() -> None:
    with loading():
        assert not gc.isenabled()
        with loading():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


def test_only_what_there_is_once_code_was_loaded_is_never_looked_at_again() -> None:
    told = subprocess.run([sys.executable, "-c", _LOADS], check=True, capture_output=True, text=True).stdout
    before, after = map(int, told.split())
    assert before < 1_000 < after
