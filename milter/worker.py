"""A milter worker: one forked process in which libmilter's threads carry the sessions.

libmilter waits for TERM, HUP and INT itself and would stop at once, so these are blocked; the supervisor speaks with
USR1 (drain) and USR2 (reload). Python's own handlers never run while the main thread is in `milter.main()`, so a
control thread reads the signal numbers from a pipe (signal.set_wakeup_fd).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import Milter

import milter
from tamis.base.daemon_threads import begun
from tamis.base.shared_files import write_json
from tamis.base.tokens import Tokens
from tamis.chain.open_services import open_services
from tamis.chain.road import Examined, Road
from tamis.contract.lists import Match
from tamis.contract.service_protocols import DNS
from tamis.desk.redirection import RedirectionSigner
from tamis.desk.redirection_notes import Notes
from tamis.desk.reinjection import Reinjector
from tamis.desk.route import Proof, Route
from tamis.handover.listener_counts import ListenerCounts
from tamis.handover.part_states import PartsFile
from tamis.handover.sender_events import SenderEvents
from tamis.handover.stories import StoryJournal
from tamis.handover.teaching_samples import Samples
from tamis.installation.listener import dead_socket, socket_descriptors
from tamis.installation.paths import Paths
from tamis.installation.site_loading import SiteSource
from tamis.judging.metrics import Counts
from tamis.judging.other_verdict import read_other
from tamis.judging.site import Site
from tamis.judging.story import Remembered, to_line
from tamis.judging.verdict import Decision
from tamis.message.mail import Mail
from tamis.message.shown_from import shown_from
from tamis.message.test_strings import asked_of
from tamis.milter.reply import Replies
from tamis.milter.session import Session
from tamis.services.dns.list_tests import ListTests
from tamis.services.runner import Awaited, Runner
from tamis.settings import Settings

log = logging.getLogger(__name__)

DRAIN, RELOAD = signal.SIGUSR1, signal.SIGUSR2
_TICK = 1.0  # seconds between two looks at the snapshot's stat and two writes of the counts
_SETTLE = 0.2  # seconds from accept to the negotiation, from which on a connection is counted
_SWITCH_SECONDS = 0.0005
"""How long a thread may go on while others want the interpreter (sys.setswitchinterval): a message asks for it many
times, and would wait 5 ms each time, Python's default, while a large one is taken apart beside it."""
_GC_ALLOCATIONS = (
    10_000  # between two looks for cycles: a message makes thousands of objects and hardly any cycle
)
_libmilter_fd = -1


class Worker:
    """What the sessions of one process share."""

    def __init__(self, source: SiteSource, site: Site, signer: RedirectionSigner, tokens: Tokens) -> None:
        self._source = source
        self.site = site
        self.signer = signer
        settings = site.settings
        self._paths = Paths(settings)
        self.notes = Notes(self._paths.notes)
        self.replies = Replies(signer, self.notes, tokens)
        self.route = self._new_route()
        self._runner = Runner()
        self._services = open_services(settings)
        self._sessions: set[int] = set()
        self._lock = threading.Lock()
        self._hits: Counter[int] = Counter()
        self._counts = Counts()
        self._host = socket.gethostname()
        self._journal = StoryJournal(self._paths.journal, settings.history.journal)
        self._senders = SenderEvents(self._paths.senders)
        self._samples = Samples()
        self._parts = PartsFile(self._paths.parts, self._services.breakers, source.breakers)
        self._list_tests = ListTests()
        self._testing: Awaited[None] | None = None
        self._next_test = 0.0
        self.listeners = ListenerCounts(self._paths.listeners)

    def _new_route(self) -> Route:
        settings = self.site.settings
        return Route(
            settings,
            self.signer,
            Reinjector(settings.desk.reinject, settings.desk.proof_wait),
            Proof(self._paths.proof),
        )

    def new_road(self) -> Road:
        """A transaction's road, under the policy of this moment."""
        return Road(self.site, self._runner, self._services)

    def foresee(self, recipient: str) -> None:
        """Begin to look up where a recipient's address leads: at the end of the message it is known."""
        self._source.directory.foresee(recipient)

    def session_begins(self, session: object) -> None:
        """Count a connection from its negotiation on: Postfix buffers what follows."""
        with self._lock:
            self._sessions.add(id(session))

    def session_ends(self, session: object) -> None:
        """A connection is closed."""
        with self._lock:
            self._sessions.discard(id(session))

    @property
    def live(self) -> int:
        """Connections that are open."""
        with self._lock:
            return len(self._sessions)

    def count(self, examined: Examined, mail: Mail) -> None:
        """Remember which list entries decided, what was learnt of senders, what teaches, and the numbers for
        Prometheus; these alone of test messages."""
        if self.site.settings.metrics.listen:
            with self._lock:
                self._counts.add(examined.findings, examined.judged)
        if asked_of(mail):
            return
        self._senders.take(self.site, examined)
        self._samples.take(self.site.settings, examined, mail)
        for one in examined.judged:
            finding = examined.findings.get(one.verdict.decided_by)
            if finding is None or one.verdict.decision is Decision.DEFER:
                continue
            with self._lock:
                for fact in finding.facts.get("matches", ()):
                    match = Match.from_fact(fact)
                    if match.scope in one.policy.scopes:
                        self._hits[match.entry] += 1

    def record(self, examined: Examined, mail: Mail) -> None:
        """Remember a message's findings and verdicts."""
        if not self.site.settings.history.enabled:
            return
        shown = self.site.settings.history.subjects
        other = read_other(mail.headers, self.site.settings.history.other_filter)
        remembered = Remembered(
            message_id=(mail.headers.first("message-id") or "").strip(),
            size=mail.size,
            subject=(mail.subject or "") if shown else "",
            header_from=shown_from(mail.headers).strip() if shown else "",
            host=self._host,
            other=other.to_text() if other is not None else "",
        )
        try:
            line = to_line(examined.envelope, examined.findings, examined.judged, remembered)
        except (TypeError, ValueError, RecursionError) as error:
            log.warning("%s: its story is lost: %s", examined.envelope.queue_id, error)
            return
        self._journal.write(line)

    def write_counts(self) -> None:
        """Leave the counts for the background process, once it took the last ones; a kill costs what is kept."""
        self._journal.rotate()
        self._senders.write()
        self._samples.write(self.site.settings)
        self._write_hits()
        self._write_metrics()
        self._parts.write()
        self.listeners.write()

    def test_lists(self) -> None:
        """Have the DNS lists tested when it is time; nobody waits for it."""
        now = time.monotonic()
        if now < self._next_test:
            return
        if (testing := self._testing) is not None:
            if not testing.wait(0):
                return
            self._testing = None
            testing.result()
        settings = self.site.settings
        every = settings.dns.list_test_every
        if not every:
            return
        self._next_test = now + every * random.uniform(0.9, 1.1)  # noqa: S311 - not all processes at once
        services = self._services
        run = self._list_tests.run(services.dns, services.breakers, settings.platform, every)
        self._testing = self._runner.submit(run)

    def _write_hits(self) -> None:
        left = self._paths.hits / f"{os.getpid()}.json"
        if left.exists():
            return
        with self._lock:
            hits, self._hits = self._hits, Counter()
        if hits:
            try:
                write_json(left, dict(hits))
            except OSError as error:
                log.warning("hit counts lost: %s", error)

    def _write_metrics(self) -> None:
        left = self._paths.metrics / f"{os.getpid()}.json"
        if not self._counts.messages or left.exists():
            return
        with self._lock:
            counts, self._counts = self._counts, Counts()
        try:
            write_json(left, counts.to_dict())
        except OSError as error:
            log.warning("counts for metrics lost: %s", error)

    def reload(self, *, force: bool) -> None:
        """Take up new settings, policy and lists; a mistake in them leaves the present ones in force.

        With `force` the services follow the settings, and what was remembered of the DNS is forgotten.
        """
        fresh = self._source.fresh(self.site, force=force)
        if fresh is not None:
            if force:
                self._renew_services(fresh.settings)
            moved = (fresh.settings.desk, fresh.settings.postfix) != (
                self.site.settings.desk,
                self.site.settings.postfix,
            )
            self.site = fresh
            self._journal.limit = fresh.settings.history.journal
            if moved:
                self.route = self._new_route()

    def _renew_services(self, settings: Settings) -> None:
        """All but the shared state, which keeps its connections. Who is under way ends with the services it has."""
        old = self._services
        self._services = replace(open_services(settings), state=old.state)
        self._next_test = 0.0  # the breakers are new
        self._runner.submit(_close_later(old.dns, settings.milter.message_deadline))


async def _close_later(dns: DNS, seconds: float) -> None:
    """When no message uses it any more."""
    await asyncio.sleep(seconds)
    dns.close()


def run_worker(
    worker: Worker, listening: socket.socket, ready: Callable[[], None], is_orphan: Callable[[], bool]
) -> None:
    """Serve until told to drain, or until orphaned; never returns. Call it in a child that has no thread yet."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (DRAIN, RELOAD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {DRAIN, RELOAD})
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(_GC_ALLOCATIONS)
    Session.worker = worker
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        _open_libmilter(listening, folder)
    control = (worker, reader, ready, is_orphan)
    threading.Thread(target=_control, args=control, name="control", daemon=True).start()
    ready()
    milter.main()
    worker.write_counts()
    os._exit(0)


def _open_libmilter(listening: socket.socket, folder: str) -> None:
    """Let libmilter open a dummy socket of our socket's family, then put ours over its descriptor."""
    global _libmilter_fd
    _register()
    if listening.family == socket.AF_UNIX:
        dummy = f"unix:{Path(folder) / 'dummy'}"
    else:
        dummy = "inet6:0@::1" if listening.family == socket.AF_INET6 else "inet:0@127.0.0.1"
    milter.setconn(dummy)
    before = socket_descriptors()
    milter.opensocket(False)
    (_libmilter_fd,) = socket_descriptors() - before
    os.dup2(listening.fileno(), _libmilter_fd)
    listening.close()  # so that a drain leaves no open end in which connections wait in vain


def _register() -> None:
    """Tell libmilter our callbacks: pymilter's runmilter does the same, but then serves at once."""
    milter.set_connect_callback(Milter.connect_callback)
    milter.set_helo_callback(lambda ctx, name: ctx.getpriv().hello(name))
    milter.set_envfrom_callback(lambda ctx, *args: _apart(partial(ctx.getpriv().envfrom_bytes, *args)))
    milter.set_envrcpt_callback(lambda ctx, *args: _apart(partial(ctx.getpriv().envrcpt_bytes, *args)))
    milter.set_header_callback(lambda ctx, name, value: ctx.getpriv().header(name, value))
    milter.set_eoh_callback(lambda ctx: ctx.getpriv().eoh())
    milter.set_body_callback(lambda ctx, chunk: ctx.getpriv().body(chunk))
    milter.set_eom_callback(lambda ctx: _apart(ctx.getpriv().eom))
    milter.set_abort_callback(lambda ctx: ctx.getpriv().abort())
    milter.set_close_callback(Milter.close_callback)
    Milter.factory = Session
    milter.set_exception_policy(milter.TEMPFAIL)
    milter.register(
        "tamis",
        data=lambda ctx: ctx.getpriv().data(),
        unknown=lambda ctx, command: ctx.getpriv().unknown(command),
        negotiate=Milter.negotiate_callback,
    )


def _apart(work: Callable[[], int]) -> int:
    """Do what runs filters in a thread of Python's own, while libmilter's waits for it.

    libmilter has a pool of threads, and a session goes from one to another; pymilter's state of Python goes along, but
    what PyGILState_Ensure finds in a thread stays behind. So a library that calls it there (NumPy does, now and then)
    waits for itself for ever (Python 3.11), or ends the process (3.13).
    """
    return begun("session", work).result()


def _control(
    worker: Worker, reader: int, taken_up: Callable[[], None], is_orphan: Callable[[], bool]
) -> None:
    """The control thread: obeys the supervisor, and leaves when it is gone."""
    while True:
        select.select([reader], [], [], _TICK)
        try:
            numbers = set(os.read(reader, 256))
        except BlockingIOError:
            numbers = set()
        if DRAIN in numbers or is_orphan():
            _drain(worker)
        try:
            worker.write_counts()
            worker.reload(force=RELOAD in numbers)
            worker.test_lists()
        except Exception:  # whatever it is, this thread must live on to obey the next drain
            log.exception("the control thread goes on")
        if RELOAD in numbers:
            taken_up()


def _drain(worker: Worker) -> None:
    """Stop accepting, let open sessions finish within `milter.drain` seconds, leave."""
    dead = dead_socket()
    os.dup2(dead.fileno(), _libmilter_fd)
    until = time.monotonic() + worker.site.settings.milter.drain
    pause = threading.Event()
    pause.wait(_SETTLE)
    while worker.live and time.monotonic() < until:
        pause.wait(0.05)
    worker.write_counts()
    log.info("worker %d leaves with %d sessions open", os.getpid(), worker.live)
    os._exit(0)
