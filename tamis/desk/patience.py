"""Waiting for the store, but not for ever: one that hangs keeps threads of ours, and neither Postfix nor the desk.

    copy -> a thread of its own -> answered in time                        -> its reply
                               -> not in `seconds`                         -> 451, the thread goes on alone
    copy, while a thread hangs -> the only one that tries                  -> as above
                               -> another tries, or `places` threads hang  -> 451 at once

What a thread still does after its 451 is done once: Postfix brings the copy again, and it is found held or sent back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future

from tamis.base.daemon_threads import begun
from tamis.desk.lmtp import LMTPReply

log = logging.getLogger(__name__)

HANGS = LMTPReply(ok=False, text="kept in the queue: the store does not answer")


class Patience:
    """Runs what blocks, at most `places` at once, each for at most `seconds`. For one event loop."""

    def __init__(self, places: int, seconds: float) -> None:
        self._most = places
        self._places = asyncio.Semaphore(places)
        self._seconds = seconds
        self._hanging: set[Future[LMTPReply]] = set()
        self._tried = False

    async def reply(self, take: Callable[[], LMTPReply]) -> LMTPReply:
        """What `take` answers, or HANGS. What it raises goes on."""
        if not self._hanging:
            async with self._places:
                if not self._hanging:  # it may have begun to hang while we waited for a place
                    return await self._in_time(take)
        if self._tried or len(self._hanging) >= self._most:
            return HANGS
        self._tried = True
        try:
            return await self._in_time(take)
        finally:
            self._tried = False

    async def _in_time(self, take: Callable[[], LMTPReply]) -> LMTPReply:
        work = begun("copy", take)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(work)), self._seconds)
        except TimeoutError:
            if work.done():  # at that very moment, or its own error
                return work.result()
        if not self._hanging:
            log.error(
                "the store has not answered for %g s: copies stay in Postfix's queue until it does",
                self._seconds,
            )
        self._hanging.add(work)
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._answered, done))
        return HANGS

    def _answered(self, work: Future[LMTPReply]) -> None:
        self._hanging.discard(work)
        if not self._hanging:
            log.info("the store answers again")
