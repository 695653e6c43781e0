"""Work that the process does not wait for when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begun(name: str, work: Callable[[], T]) -> Future[T]:
    """Work under way in a thread of its own. A pool's would be joined at the end of the process, however long it hangs.

    So it may be cut off at any moment, and must stand that.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome
