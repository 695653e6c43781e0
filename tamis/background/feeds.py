"""The lists of complaints (S10): fetched into files, the last good ones kept, published to the shared state."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import logging
import secrets
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from tamis.base.breaker import FAILURES, Breakers
from tamis.base.daemon_threads import begun
from tamis.base.errors import ConfigError, FeedError, LeftOutError
from tamis.base.shared_files import read_json, write_json
from tamis.contract.breadth import breadth_below
from tamis.contract.lists import Subject, normalise_pattern
from tamis.contract.service_protocols import SharedState
from tamis.filters.sender_complaints import GENERATION, entry_key
from tamis.services.fetching import fetched

log = logging.getLogger(__name__)

MAX_OCTETS = 32 << 20
_MAX_ENTRIES = 1_000_000
_SHOWN = 5
_CHUNK = 500
_KEEP = 86400.0
"""Seconds that a generation outlives the time at which the next one is due."""


class Feeds:
    """The lists of one installation. `step` is called again and again and never waits for the network."""

    def __init__(self, directory: Path, breakers: Breakers | None = None) -> None:
        self._directory = directory
        self._breakers = breakers or Breakers()
        self._fetching: Future[None] | None = None
        self._due = 0.0
        self._sources: Sequence[str] = ()
        self._generation = ""

    async def step(
        self, sources: Sequence[str], every: float, state: SharedState, own: Collection[str] = ()
    ) -> None:
        """Fetch when it is time, publish what was fetched, publish again what the state lost; `own` are the platform's
        domains. Raises ServiceError."""
        if tuple(sources) != tuple(self._sources):
            self._sources, self._due = tuple(sources), 0.0
        if not sources:
            return
        if self._fetching is not None:
            if not self._fetching.done():
                return
            self._fetching.result()
            await self._publish(state, every)
            self._fetching = None
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + every
            work = partial(fetch_all, self._directory, self._sources, self._breakers, frozenset(own))
            self._fetching = begun("feeds", work)
        elif self._generation and await state.get(GENERATION) != self._generation:
            await self._publish(state, every)

    async def _publish(self, state: SharedState, every: float) -> None:
        """All entries under a new generation, then the one change by which they count: no reader sees half a list."""
        generation, keep = secrets.token_hex(6), every + _KEEP
        loaded = False
        for source in self._sources:
            kept = read_json(_file(self._directory, source))
            loaded = loaded or kept is not None
            entries = kept or []
            for start in range(0, len(entries), _CHUNK):
                await asyncio.gather(
                    *(
                        state.put(entry_key(generation, one), _name(source), keep)
                        for one in entries[start : start + _CHUNK]
                    )
                )
        if loaded:
            await state.put(GENERATION, generation, keep)
            self._generation = generation


def fetch_all(directory: Path, sources: Sequence[str], breakers: Breakers, own: Collection[str] = ()) -> None:
    """Fetch every list into its file; one that is no good leaves its file as it is, and the log says so. Entries that
    are left out are told.

    A list that keeps failing is said to be left out, and is then tried in silence.
    """
    for source in sources:
        path = _file(directory, source)
        breaker = breakers.part(f"list of complaints {_name(source)} ({path.stem[:6]})")
        try:
            with breaker.call():
                entries = parse(fetch(source))
                broad = [one for one in entries if is_broad(one, own)]
                if not entries and read_json(path):
                    raise FeedError("it is suddenly empty")
                write_json(path, sorted(set(entries) - set(broad)))
                if broad:
                    log.warning(
                        "%s: %d entries are left out, for they cover a mail provider, a public suffix or a domain "
                        "of our own: %s",
                        breaker.part,
                        len(broad),
                        ", ".join(broad[:_SHOWN]),
                    )
        except LeftOutError:
            continue
        except FAILURES as error:
            if not breaker.is_left_out:
                log.error("%s: the last good one stays: %s", breaker.part, error)


def fetch(source: str) -> bytes:
    """A file's or a URL's content. Raises OSError or FeedError."""
    try:
        if "://" in source:
            if not source.lower().startswith(("http://", "https://")):
                raise FeedError("only files, http and https are read")
            return fetched(source, MAX_OCTETS)
        with Path(source).open("rb") as file:
            content = file.read(MAX_OCTETS + 1)
    except (http.client.HTTPException, ValueError) as error:
        raise FeedError(f"{type(error).__name__}: {error}") from error
    if len(content) > MAX_OCTETS:
        raise FeedError(f"it has more than {MAX_OCTETS} octets")
    return content


def parse(content: bytes) -> list[str]:
    """The addresses and domains of a list, one a line. Raises FeedError when most lines are none: an error page."""
    found: dict[str, None] = {}
    wrong = 0
    for line in content.decode("utf-8-sig", "replace").splitlines():
        text = line.partition("#")[0].strip()
        if not text or text.startswith((";", "//")):
            continue
        try:
            pattern = normalise_pattern(Subject.SENDER, text.split()[0].rstrip(",;").removeprefix("*."))
        except ConfigError:
            wrong += 1
            continue
        if "." not in pattern.rpartition("@")[2] or set("*?") & set(pattern):
            wrong += 1
        elif len(found) < _MAX_ENTRIES:
            found[pattern] = None
    if wrong > len(found):
        raise FeedError(f"it is not a list of addresses and domains: {wrong} lines are neither")
    return list(found)


def is_broad(pattern: str, own: Collection[str]) -> bool:
    """Whether an entry, which counts for all below it, too, accuses people by the thousand, or our own."""
    local, _, domain = pattern.rpartition("@")
    return domain in own if local else breadth_below(domain, own) is not None


def _file(directory: Path, source: str) -> Path:
    return directory / f"{hashlib.blake2b(source.encode(), digest_size=12).hexdigest()}.json"


def _name(source: str) -> str:
    """A source as it may be shown: without what may be a password or a key."""
    if "://" not in source:
        return Path(source).name[:100]
    host = source.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return host[:100]
