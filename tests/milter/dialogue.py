"""libmilter's side of a session, without libmilter: the callbacks as the worker registers them, and a context that
notes what the session asks for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import Milter
import pytest

from tamis.chain.road import Examined
from tamis.desk.redirection import RedirectionSigner
from tamis.handover.listener_counts import ListenerCounts
from tamis.judging.plan import Judged, plan
from tamis.judging.site import Site
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.milter import worker
from tamis.milter.session import Session
from tests.builders import MARIE, STRANGER, STRANGER_IP, site, verdict

OPTIONS = [Milter.CURR_ACTS, 0x1FFFFF, 0, 0]
"""All actions and steps that pymilter knows, as Postfix offers them."""


class Callbacks:
    """Stands for pymilter's C module while the worker registers its callbacks."""

    def __init__(self) -> None:
        self.known: dict[str, Callable[..., int]] = {}
        self.TEMPFAIL = Milter.TEMPFAIL

    def __getattr__(self, name: str) -> Callable[[Callable[..., int]], None]:
        kind = name.removeprefix("set_").removesuffix("_callback")
        return lambda callback: self.known.update({kind: callback})

    def register(self, name: str, **callbacks: Callable[..., int]) -> None:
        self.known.update(callbacks)


class Context:
    """What a session does at Postfix: as milterContext, `changes` and `reply` are what came of it."""

    def __init__(self, **macros: str) -> None:
        self.macros = macros
        self.reply: tuple[str, ...] = ()
        self.changes: list[tuple[Any, ...]] = []
        self._session: Any = None
        self.failing = ""
        """The change that fails, once."""

    def getpriv(self) -> Any:
        return self._session

    def setpriv(self, session: Any) -> None:
        self._session = session

    def getsymval(self, name: str) -> str | None:
        return self.macros.get(name.strip("{}"))

    def setreply(self, code: str, enhanced: str, *lines: str) -> None:
        self.reply = (code, enhanced, *lines)

    def progress(self) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        def change(*args: Any) -> None:
            if name == self.failing:
                self.failing = ""
                raise ZeroDivisionError(name)
            self.changes.append((name, *args))

        return change


class OwnRoad:
    """A road that ends as the test wants it."""

    def __init__(self, here: Site, decision: str = "ham") -> None:
        self.site = here
        self.abandoned = 0
        self.examined: list[bytes] = []
        self._decision = decision

    def mail_from(self, envelope: Envelope) -> None:
        pass

    def recipient(self, envelope: Envelope, recipient: Recipient) -> str:
        return ""

    def end_of_message(self, envelope: Envelope, mail: Mail, pulse: Callable[[], None]) -> Examined:
        self.examined.append(mail.raw)
        judged = tuple(
            Judged(
                verdict(self._decision, r.address),
                self.site.book.policy(r.address),
                (("X-Spam-Status", "No"),),
            )
            for r in envelope.recipients
        )
        return Examined(envelope, {}, judged, plan(judged))

    def abandon(self) -> None:
        self.abandoned += 1


class OwnWorker:
    """A worker that counts sessions and what it is told."""

    def __init__(self, text: str = "", road: type[OwnRoad] = OwnRoad) -> None:
        self.site = site(text)
        self.roads: list[OwnRoad] = []
        self.live = 0
        self.recorded = 0
        self.signer = RedirectionSigner(b"k" * 32)
        self.notes = self.replies = self.route = None
        self.listeners = ListenerCounts(Path("/nonexistent"))
        self._road = road

    def new_road(self) -> OwnRoad:
        self.roads.append(self._road(self.site))
        return self.roads[-1]

    def foresee(self, recipient: str) -> None:
        pass

    def session_begins(self, session: object) -> None:
        self.live += 1

    def session_ends(self, session: object) -> None:
        self.live -= 1

    def record(self, examined: Examined, mail: Mail) -> None:
        self.recorded += 1

    def count(self, examined: Examined, mail: Mail) -> None:
        pass


class Dialogue:
    """One connection, step by step. `made` is the class of its session."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, served: OwnWorker, made: type[Session] = Session
    ) -> None:
        callbacks = Callbacks()
        monkeypatch.setattr(worker, "milter", callbacks)
        monkeypatch.setattr(worker, "Session", made)
        monkeypatch.setattr(Milter, "factory", made)
        monkeypatch.setattr(made, "worker", served, raising=False)
        worker._register()
        self._known = callbacks.known
        self.context = Context(
            i="ABC", client_addr=STRANGER_IP, client_name="mail.example.net", rcpt_addr=MARIE
        )
        self.options = list(OPTIONS)
        assert self._known["negotiate"](self.context, self.options) == Milter.CONTINUE

    @property
    def session(self) -> Any:
        """The session that libmilter holds."""
        return self.context.getpriv()

    def call(self, step: str, *args: Any) -> int:
        """One callback, as libmilter calls it."""
        return self._known[step](self.context, *args)

    STEPS: Sequence[tuple[str, tuple[Any, ...]]] = (
        ("connect", ("mail.example.net", socket.AF_INET, (STRANGER_IP, 4711))),
        ("helo", ("mail.example.net",)),
        ("envfrom", (f"<{STRANGER}>".encode(),)),
        ("envrcpt", (f"<{MARIE}>".encode(),)),
        ("data", ()),
        ("header", ("Subject", b" Hello")),
        ("header", ("X-Spam-Flag", b" NO")),
        ("body", (b"Good day.\r\n",)),
    )

    def message(self, *, begin: str = "connect") -> int:
        """A whole message from a step on, and what its end is answered."""
        names = [name for name, _ in self.STEPS]
        for step, args in self.STEPS[names.index(begin) :]:
            assert self.call(step, *args) in (Milter.CONTINUE, Milter.NOREPLY), step
        return self.call("eom")
