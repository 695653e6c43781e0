"""What each kind of process does, from its fork on."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from tamis.base.errors import ConfigError, SchemaError, StoreError, TamisError
from tamis.base.tokens import Tokens
from tamis.desk.redirection import RedirectionSigner
from tamis.desk.redirection_notes import Notes
from tamis.desk.route import Proof
from tamis.installation.paths import Paths
from tamis.installation.signing_key import agreed_key, signing_key
from tamis.installation.site_loading import SiteSource
from tamis.judging.site import Site
from tamis.judging.stored_policy import Override
from tamis.milter.worker import Worker, run_worker
from tamis.services.state.opening import open_state

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parent:
    """The supervisor, as a child knows it: `pid` is taken before the fork, so one that dies at once is missed, too."""

    pid: int
    ready: Callable[[], None]
    """Tells it that the child serves, and later, each time, that it has taken up a reload."""

    def is_gone(self) -> bool:
        """Whether it died: then somebody else adopted us."""
        return os.getppid() != self.pid


Sockets = Mapping[str, socket.socket]
Role = Callable[[Site, SiteSource, Sockets, Parent], None]

SOCKET_OF = {"workers": "milter", "desk": "desk", "web": "web"}
"""The listening socket that a role needs; the others are closed in it."""


def exit_code(error: TamisError) -> int:
    """The sysexits(3) status for an error."""
    if isinstance(error, ConfigError | SchemaError):
        return os.EX_CONFIG
    return os.EX_UNAVAILABLE if isinstance(error, StoreError) else os.EX_SOFTWARE


def prepare(site: Site) -> None:
    """Make the signing key, migrate the store and bring the snapshot up to date."""
    from tamis.installation.publishing import Publisher  # noqa: PLC0415
    from tamis.store import Store  # noqa: PLC0415 - only who serves it needs it

    open_state(site.settings)  # connects to nothing, but a URL that can't be used is refused at start
    with Store(site.settings.store_url) as store:
        store.migrate()
        agreed_key(site.settings.key_file, store.hosts, shared=store.is_shared)
        Publisher(site.settings.snapshot_file, store).publish()


def workers(site: Site, source: SiteSource, sockets: Sockets, parent: Parent) -> None:
    """A milter worker."""
    key = signing_key(site.settings.key_file)
    worker = Worker(source, site, RedirectionSigner(key), Tokens(key))
    run_worker(worker, sockets["milter"], parent.ready, parent.is_gone)


def desk(site: Site, source: SiteSource, sockets: Sockets, parent: Parent) -> None:
    """The LMTP desk."""
    from tamis.desk.desk import Desk, run_desk  # noqa: PLC0415 - see prepare
    from tamis.store import Store  # noqa: PLC0415

    current = _Current(site, source, parent)
    paths = Paths(site.settings)
    signer = RedirectionSigner(signing_key(site.settings.key_file))
    with Store(site.settings.store_url) as store:
        serving = Desk(
            lambda: current.site, signer, Notes(paths.notes, paths.former_notes), Proof(paths.proof), store
        )
        asyncio.run(run_desk(serving, sockets["desk"], site.settings, parent.ready))


def background(site: Site, source: SiteSource, sockets: Sockets, parent: Parent) -> None:
    """Maintenance that no message depends on: snapshot, hit counts, expiry, learning."""
    from tamis.background.learning import Learning  # noqa: PLC0415
    from tamis.background.process import Background  # noqa: PLC0415 - see prepare
    from tamis.store import Store  # noqa: PLC0415

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # by a thread: the handler may interrupt wait(), which holds the lock that set() wants
        signal.signal(number, lambda *_: threading.Thread(target=stopping.set).start())
    current = _Current(site, source, parent)
    with Store(site.settings.store_url) as store:
        parent.ready()
        Learning(lambda: current.site, store, stopping).start()
        Background(lambda: current.site, store, stopping, lambda: source.file).run()


def web(site: Site, source: SiteSource, sockets: Sockets, parent: Parent) -> None:
    """The pages."""
    from tamis.database.overrides import checker  # noqa: PLC0415 - see prepare
    from tamis.store import Store  # noqa: PLC0415
    from tamis.web.serving import serve  # noqa: PLC0415

    # while it serves uvicorn has its own handlers, and then says the signal again to this one
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    current = _Current(site, source, parent)

    def check(scope: str, overrides: Sequence[Override], new: Sequence[Override]) -> None:
        checker(source.file, current.site.filters)(scope, overrides, new)

    with Store(site.settings.store_url) as store:
        serve(lambda: current.site, check, store, sockets["web"], parent.ready)


ROLES: Mapping[str, Role] = {"workers": workers, "desk": desk, "background": background, "web": web}


_CODE: Mapping[str, Sequence[str]] = {
    "workers": (),
    "desk": ("tamis.desk.desk", "tamis.store"),
    "background": (
        "tamis.background.process",
        "tamis.background.learning",
        "tamis.handover.marking",
        "tamis.store",
    ),
    "web": ("tamis.web.serving", "tamis.store"),
}


def load_code(roles: Collection[str]) -> None:
    """Load the code of roles before their processes are forked: it is in memory once then, and who replaces one that
    died starts with it. Nothing is connected, and no thread started."""
    for module in dict.fromkeys(module for role in roles for module in _CODE[role]):
        importlib.import_module(module)
    if "tamis.store" in sys.modules:
        sys.modules["tamis.store"].load_parts()


class _Current:
    """The Site in force in a process whose main thread runs Python: SIGUSR2 takes up a new one.

    It also ends the process, as SIGTERM would, when the supervisor is gone.
    """

    def __init__(self, site: Site, source: SiteSource, parent: Parent) -> None:
        self.site = site
        self._parent = parent
        self._source = source
        self._asked = queue.SimpleQueue[None]()  # of all queues the one that a signal handler may use
        signal.signal(signal.SIGUSR2, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Once a second: is the supervisor there, and is there a new snapshot or a reload to take up?"""
        while not self._parent.is_gone():
            try:
                self._asked.get(timeout=1.0)
            except queue.Empty:
                forced = False
            else:
                forced = True
            self.site = self._source.fresh(self.site, force=forced) or self.site
            if forced:
                self._parent.ready()
        os.kill(os.getpid(), signal.SIGTERM)

    def _reload(self, *_: object) -> None:
        self._asked.put(None)
