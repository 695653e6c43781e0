"""Where addresses lead by Postfix's alias and canonical maps, remembered: a message waits for a map only the first time
that an address comes, and not long."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.base.breaker import FAILURES, Breakers
from tamis.base.errors import ConfigError, ServiceError
from tamis.judging.alias_targets import Destination, destinations, divided, entries, keys, targets
from tamis.message.address import address_key, domain_key, domain_of
from tamis.services.postfix.included import expanded, is_followed
from tamis.services.postfix.listeners import read_settings
from tamis.services.postfix.lookup_tables import FileStamp, ask, files_of, split_maps, stamp, takes_parts
from tamis.settings import Platform, Settings

WAIT_SECONDS = 2.0
"""How long a message waits for an answer. Beyond: the address counts as a mailbox of its own this time."""
ASK_SECONDS = 5.0
"""How long one table may take for one question. Beyond: it counts as failed."""
MAX_KNOWN = 50_000
"""Addresses that a process remembers. Beyond: the oldest are asked for again."""
_MOST_AT_ONCE = 500  # addresses of one question; beyond: asked in the next one
_FRESH_FILE = 600.0  # seconds that an answer counts where the tables are files, which are watched
_FRESH = 60.0  # the same where they are not: then the old answer serves while the new one is fetched
_FRESH_PROBLEM = 5.0
_LOOK = 1.0  # seconds between two looks at the files
PART = "alias maps"
"""Under which name a map that fails is left out and told (tamis/base/breaker.py)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AliasMaps:
    """The tables of a Postfix: canonical(5), virtual(5), aliases(5). `own` are the domains of mydestination, where the
    local part alone is looked up and the last apply; `origin` completes names."""

    canonical: tuple[str, ...] = ()
    virtual: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    origin: str = ""

    @property
    def tables(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.canonical, *self.virtual, *self.local)


def alias_maps(settings: Settings) -> AliasMaps:
    """Those that the settings name, else those of Postfix itself; none where there is no Postfix. Raises OSError or
    SubprocessError."""
    directory = settings.postfix.config_directory
    named = tuple(_table(one) for one in settings.platform.alias_maps)
    if not (directory / "main.cf").exists():
        return AliasMaps(virtual=named)
    told = read_settings(directory, _NAMES)
    own = frozenset(map(domain_key, told.get("mydestination", "").replace(",", " ").split()))
    origin = domain_key(told.get("myorigin", ""))
    if named:
        return AliasMaps(virtual=named, own=own, origin=origin)
    aliased = told.get("local_transport", "").startswith(
        "local"
    )  # else local(8) is not asked for its aliases
    return AliasMaps(
        canonical=tuple(split_maps(f"{told.get('recipient_canonical_maps')} {told.get('canonical_maps')}")),
        virtual=tuple(split_maps(told.get("virtual_alias_maps", ""))),
        local=tuple(split_maps(told.get("alias_maps", ""))) if aliased else (),
        own=own,
        origin=origin,
    )


_NAMES = (
    *("recipient_canonical_maps", "canonical_maps", "virtual_alias_maps", "alias_maps"),
    *("mydestination", "myorigin", "local_transport"),
)


def _table(text: str) -> str:
    return f"texthash:{text}" if text.startswith("/") else text


def check_named_files(platform: Platform) -> None:
    """Raises ConfigError where platform.alias_maps names a file that can't be read."""
    for text in platform.alias_maps:
        if text.startswith("/"):
            try:
                Path(text).open("rb").close()
            except OSError as error:
                raise ConfigError(
                    "settings", "platform.alias_maps", f"can't be read: {error}", value=text
                ) from None


class AliasLook:
    """One look at some tables, for many addresses at once; `seconds` for each question."""

    def __init__(
        self, directory: Path, maps: AliasMaps, delimiter: str, seconds: float = ASK_SECONDS
    ) -> None:
        self._directory = directory
        self._maps = maps
        self._delimiter = delimiter
        self._seconds = seconds
        self.included: dict[Path, FileStamp] = {}
        """Files that aliases named by `:include:`; what they hold counts as the tables do."""

    def __call__(self, addresses: Collection[str]) -> Mapping[str, Sequence[str]]:
        """What the addresses lead to directly, of those that lead anywhere. Raises ServiceError."""
        found: dict[str, Sequence[str]] = {}
        rest = [one for one in addresses if "@" in one]
        for tables in (self._maps.canonical, self._maps.virtual):
            found |= self._mapped(tables, rest)
            rest = [one for one in rest if one not in found]
        return {**found, **self._aliased(rest)}

    def _mapped(self, tables: Sequence[str], addresses: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """By maps of whole addresses and their parts (canonical(5), virtual(5))."""
        own = self._maps.own | {self._maps.origin}
        wanted = {one: keys(one, own, self._delimiter) for one in addresses}
        answers: list[Mapping[str, str]] = []
        for table in tables:
            parts = slice(None) if takes_parts(table) else slice(1)
            asked = dict.fromkeys(key for some in wanted.values() for key in some[parts])
            answers.append(self._ask(table, asked))
        found: dict[str, Sequence[str]] = {}
        for address, some in wanted.items():
            matched = next(((key, told[key]) for key in some for told in answers if key in told), None)
            if matched is not None:
                key, value = matched
                found[address] = tuple(
                    dict.fromkeys(targets(value, address, key, self._maps.origin, self._delimiter))
                )
        return found

    def _aliased(self, addresses: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """By aliases(5), which local(8) follows. A command, a file or a list with an owner (owner-NAME, to whom its
        bounces go) is followed no further: it is delivered under the alias's own name."""
        here = {one: one.rpartition("@") for one in addresses}
        names = {
            one: (local, divided(one, self._delimiter)[0])
            for one, (local, _, domain) in here.items()
            if domain in self._maps.own
        }
        asked = dict.fromkeys(
            key for some in names.values() for name in some for key in (name, f"owner-{name}")
        )
        told: dict[str, str] = {}
        for table in self._maps.local:
            told = {**self._ask(table, asked), **told}
        found: dict[str, Sequence[str]] = {}
        for address, some in names.items():
            key = next((name for name in some if name in told), None)
            if key is None:
                continue
            is_list = f"owner-{key}" in told
            found[address] = (address,) if is_list else self._local_targets(address, told[key])
        return found

    def _local_targets(self, address: str, value: str) -> Sequence[str]:
        try:
            whole = expanded(value, self.included)
        except ServiceError as error:
            log.warning("the alias %s counts as a mailbox of its own: %s", address, error)
            return (address,)
        named = entries(whole)
        if not all(map(is_followed, named)):
            return (address,)
        unescaped = ", ".join(
            one.removeprefix("\\") for one in named
        )  # \\name: no further alias is looked up
        return tuple(dict.fromkeys(targets(unescaped, address, address, domain_of(address), "")))

    def _ask(self, table: str, wanted: Collection[str]) -> Mapping[str, str]:
        return ask(self._directory, table, wanted, seconds=self._seconds) if wanted else {}


@dataclass(slots=True)
class _Known:
    destination: Destination
    until: float
    """On the monotonic clock: when it is to be asked for again."""


class PostfixDirectory:
    """Where addresses lead by the maps of one Postfix. For many threads; one of its own asks, for all that wait.

    What is not known is waited for, `wait` seconds at most. What is known serves until the files change, and where maps
    are no files, while it is fetched anew. While a map can't be asked, the last answer serves; an address of which
    nothing is known is a mailbox of its own, and is asked for again.
    """

    def __init__(
        self, settings: Settings, breakers: Breakers | None = None, *, wait: float = WAIT_SECONDS
    ) -> None:
        """`wait`: seconds that a caller may wait. Raises ConfigError where platform.alias_maps names a file that can't
        be read."""
        check_named_files(settings.platform)
        self._settings = settings
        self.breakers = breakers or Breakers(settings.breakers.limits)
        self._wait = wait
        self._condition = threading.Condition()
        self._known: dict[str, _Known] = {}
        self._former: Mapping[str, _Known] = {}
        self._generation = 0
        self._pending: dict[str, None] = {}
        self._asking_in = 0  # the process that has the thread: a fork has none
        self._looked = -_LOOK
        self._stamps: Sequence[object] = ()
        self._files: tuple[Path, ...] = ()
        self._maps: AliasMaps | None = None

    def serves(self, settings: Settings) -> bool:
        """Whether it does for these settings, too."""
        return _basis(settings) == _basis(self._settings)

    def destination(self, address: str) -> Destination:
        """Of one address, whatever its spelling. Never raises."""
        key = address_key(address)
        known = self._wait_for((key,)).get(key)
        return known or Destination((key,), problem="no answer yet")

    def prepare(self, addresses: Collection[str]) -> None:
        """Look several up at once, and wait for them."""
        self._wait_for(tuple(map(address_key, addresses)))

    def foresee(self, address: str) -> None:
        """Begin to look one up, without waiting."""
        with self._condition:
            self._look_at_files()
            if self._maps is None or self._maps.tables:
                self._want((address_key(address),))

    def _wait_for(self, wanted: Sequence[str]) -> Mapping[str, Destination]:
        until = time.monotonic() + self._wait
        with self._condition:
            self._look_at_files()
            if self._maps is not None and not self._maps.tables:
                return {key: Destination((key,)) for key in wanted}
            self._want(wanted)
            while any(key not in self._known for key in wanted):
                left = until - time.monotonic()
                if left <= 0 or not self._condition.wait(left):
                    break
            return {key: self._known[key].destination for key in wanted if key in self._known}

    def _want(self, wanted: Sequence[str]) -> None:
        """Have those asked for that are not known, or not fresh any more. With the lock."""
        now = time.monotonic()
        missing = [key for key in wanted if key not in self._known or self._known[key].until <= now]
        if not missing:
            return
        self._pending.update(dict.fromkeys(missing))
        if self._asking_in != os.getpid():
            self._asking_in = os.getpid()
            threading.Thread(target=self._ask_on, name="aliases", daemon=True).start()
        self._condition.notify_all()

    def _look_at_files(self) -> None:
        """Forget everything when main.cf or a table's file changed. With the lock."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        main = self._settings.postfix.config_directory / "main.cf"
        if (
            self._maps is None
            and not self._files
            and not main.exists()
            and not self._settings.platform.alias_maps
        ):
            self._maps = AliasMaps()
        stamps = [stamp(path) for path in (main, *self._files)]
        if stamps != self._stamps:
            first, self._stamps = not self._stamps, stamps
            if not first:
                self._maps = None
                self._generation += 1
                self._former, self._known = self._known, {}

    def _ask_on(self) -> None:
        """The thread that asks, as long as the process lives."""
        while True:
            with self._condition:
                while not self._pending:
                    self._condition.wait()
                batch, generation = list(self._pending)[:_MOST_AT_ONCE], self._generation
            answers, included = self._answers(batch)
            now = time.monotonic()
            with self._condition:
                if generation != self._generation:  # the files changed meanwhile
                    continue
                self._watch(included)
                for key, (destination, seconds) in answers.items():
                    self._pending.pop(key, None)
                    before = self._known.pop(key, self._former.get(key))
                    serves = before is not None and destination.problem and not before.destination.problem
                    kept = before.destination if before is not None and serves else destination
                    self._known[key] = _Known(kept, now + seconds)
                while len(self._known) > MAX_KNOWN:
                    self._known.pop(next(iter(self._known)))
                self._condition.notify_all()

    def _watch(self, included: Mapping[Path, FileStamp]) -> None:
        """Look at these files as well, as they were when they were read. With the lock."""
        for path, seen in included.items():
            if path not in self._files:
                self._files = (*self._files, path)
                self._stamps = [*self._stamps, seen]

    def _answers(
        self, batch: Sequence[str]
    ) -> tuple[Mapping[str, tuple[Destination, float]], Mapping[Path, FileStamp]]:
        """The destinations of some addresses, with the seconds for which each counts, and the files that lists of them
        are in."""
        platform = self._settings.platform
        try:
            with self.breakers.part(PART).call():
                maps = self._current_maps()
                look = AliasLook(self._settings.postfix.config_directory, maps, platform.recipient_delimiter)
                found = destinations(batch, look, frozenset(platform.domains))
        except FAILURES as error:
            return {key: (Destination((key,), problem=str(error)), _FRESH_PROBLEM) for key in batch}, {}
        files = all(any(path.exists() for path in files_of([table])) for table in maps.tables)
        seconds = _FRESH_FILE if files else _FRESH
        return {key: (found[key], seconds) for key in batch}, look.included

    def _current_maps(self) -> AliasMaps:
        """As the configuration names them now. Raises ServiceError."""
        with self._condition:
            maps, generation = self._maps, self._generation
        if maps is None:
            try:
                maps = alias_maps(self._settings)
            except (OSError, subprocess.SubprocessError) as error:
                raise ServiceError(f"postconf: {error}") from error
            with self._condition:
                if generation != self._generation:
                    return maps
                self._maps = maps
                self._files = files_of(maps.tables)
                main = self._settings.postfix.config_directory / "main.cf"
                self._stamps = [stamp(path) for path in (main, *self._files)]
        return maps


def _basis(settings: Settings) -> tuple[object, ...]:
    platform = settings.platform
    return (
        platform.alias_maps,
        platform.domains,
        platform.recipient_delimiter,
        settings.postfix.config_directory,
    )
