"""What it takes to send the golden cases through Postfix: an installation, and the services that the cases name.

Nothing is told to a filter here. What a case says of a service is made true: the DNS server has its records and the
line to it loses the questions that get no answer, scanners have signatures for what the messages hold, the model on
disk gives the number, the state is in Redis, the clock of Redis and of the daemon stands at the case's time; and where
a case has a service fail, the server is stopped, or what it needs is gone.
"""

from __future__ import annotations

import asyncio
import math
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from tamis.base.errors import ServiceError
from tamis.installation.snapshot import read_snapshot, write_snapshot
from tamis.judging.stored_policy import Snapshot
from tamis.models.calibration import Calibrator
from tamis.models.kinds import MailKind
from tamis.models.learner import Learner
from tamis.models.levels import Levels
from tamis.models.model_file import Learned, write_model
from tamis.models.site_model import LEVELS, MODEL
from tamis.services.state.redis_state import RedisState
from tests.filters.golden import Case, Step, cases
from tests.real import Client, PrivateDNS, PrivateRedis, Sent, wait_until
from tests.real.clock import Clock
from tests.real.nameserver import LossyLine
from tests.real.scanners import MARK, OURS, PrivateClamd, PrivateSpamd
from tests.real.support import Running, private_directory
from tests.road.installation import Installation
from tests.services.dns.resolving import WrittenDNS

ROOT = "."
# A case of one message may come so much later than it says: the proof of the route holds, which no case is about, and
# ends when the clock goes back.
_TOLERANCE = timedelta(minutes=4)
_QUEUED = re.compile(r"queued as (\w+)")
_REFUSED = re.compile(r"(\w+): milter-reject: END-OF-MESSAGE")
_LEFT = re.compile(r" postfix/smtpd\[\d+\]: disconnect from ")


@dataclass(frozen=True)
class Gone:
    """A case after its way: the replies to its own message, and the queue id under which its story is told, if any."""

    sent: Sent
    queue_id: str


class GoldenRoad:
    """The installation and its services."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._directory = private_directory("golden")
        self._stack.callback(shutil.rmtree, self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        try:
            self._clock = Clock(self._directory)
            self._clock.set(cases()[0].at)
            self._dns = enter(PrivateDNS({ROOT: ""}))
            self._line = enter(LossyLine(self._dns.port))
            self._redis = enter(PrivateRedis(self._clock))
            self._clamd = enter(PrivateClamd({OURS: MARK}))
            self._other_clamd = enter(PrivateClamd({"Tamis.Other": b"the-other-mark-of-the-tests"}))
            self._spamd = enter(PrivateSpamd(alone=True))
            self._tessdata = self._directory / "tessdata"
            self._languages(whole=True)
            self.installation = enter(self._installed())
            # the daemon writes its first snapshot soon after the start: ours come after it
            self.installation.tamis("policy", "set", "nobody@example.com", "required", "7.5")
            self.installation.in_force()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, case: Case) -> Gone:
        """Send all messages of a case, the world being as it says."""
        self._set_clock(case, case.at)
        self._redis.clear()
        asyncio.run(self._prepare(case))
        self._write_zone(case)
        self._write_model(case)
        self._write_settings(case)
        self.installation.daemon.hup()
        with self._outages(case):
            for step in case.steps:
                sent, logged = self._send(case, step)
        queue_id = _queue_id(sent, logged)
        self.installation.postfix.wait_idle()
        return Gone(sent, queue_id)

    async def _prepare(self, case: Case) -> None:
        state = RedisState(self._redis.url)
        try:
            await case.prepare(state)
        finally:
            await state.close()

    def _installed(self) -> Installation:
        envelopes = [step.envelope for case in cases() for step in case.steps]
        recipients = sorted({r.address.lower() for envelope in envelopes for r in envelope.recipients})
        installation = Installation(
            policy={},
            settings={
                "milter": {"drain": 2.0, "workers": 1},
                # no tests of lists: by a clock that jumps they would find another case's zone
                "dns": {"servers": [self._line.address], "deadline": 1.0, "list_test_every": 0},
                "state": {"url": self._redis.url},
                "history": {"days": 3650},
                "desk": {"proof_seconds": 300},
                "breakers": {"failures": 1000},  # what fails in one case is there in the next
            },
            daemon={"environment": {**self._clock.environment, "TESSDATA_PREFIX": str(self._tessdata)}},
            mailboxes=recipients,
            domains=sorted({address.partition("@")[2] for address in recipients}),
            main={"enable_long_queue_ids": "yes"},
        )
        # by the daemon's clock Postfix's files are from the future, and the proof of the route never newer than they
        installation.daemon.write_settings(postfix={"config_directory": "/nonexistent"})
        return installation

    # --- making the world as a case says ------------------------------------------------------

    def _write_settings(self, case: Case) -> None:
        """Policy and platform, rules, lists, and the scanners that the case names."""
        told, daemon = case.told.get("services", {}), self.installation.daemon
        rules = self._directory / "rules.toml"
        rules.write_text(case.rules, encoding="utf-8")
        engines: list[dict[str, Any]] = []
        if "antivirus" in told:
            engines.append({"name": "clamav", "socket": self._clamd.inet})
        if "antivirus_second" in told:
            engines.append({"name": "other", "socket": self._other_clamd.inet, "second_pass": True})
        own = tomllib.loads(case.settings)
        daemon.write_settings(
            platform=own.get("platform", {}),
            policy=own.get("policy", {}),
            rules={"files": [str(rules)]},
            antivirus={"engines": engines, "seconds": 2.0},
            spamassassin={"socket": self._spamd.inet if "spamassassin" in told else ""},
        )
        path = self.installation.state_directory / "snapshot" / "changes"
        said = read_snapshot(path)  # of the same revision, so that the daemon has no reason to write its own
        write_snapshot(path, Snapshot(said.revision, (), tuple(case.entries), said.mark))

    def _write_zone(self, case: Case) -> None:
        """The answers to all that the case's filters ask, as the written DNS has them."""
        assert case.examined.judged is not None
        zones, self._line.lost = asyncio.run(_zones(case.dns))
        self._dns.serve(zones)

    def _write_model(self, case: Case) -> None:
        """A model that knows nothing, and levels that give every message the number that the case tells."""
        folder = self.installation.state_directory / "model"
        folder.mkdir(exist_ok=True)
        for name in (MODEL, LEVELS):
            (folder / name).unlink(missing_ok=True)
        told = case.told.get("reading")
        if told is None:
            return
        if "error" in told:
            (folder / MODEL).write_bytes(b"what a disk left of a model")
            return
        write_model(folder / MODEL, Learner(), Learned(told["ham"], told["spam"], 1))
        if "number" in told:
            odds = math.log(told["probability"] / (1 - told["probability"]))
            calibrator = Calibrator("logistic", (-1.0, 1.0), (odds, odds), told["ham"], told["spam"])
            levels = Levels(
                (-1.0, 1.0),
                (told["number"],) * 2,
                calibrator,
                (),
                1,
                steepness=told.get("steepness"),
                unproven=tuple(MailKind) if told.get("unproven") else (),
            )
            levels.save(folder / LEVELS)

    @contextmanager
    def _outages(self, case: Case) -> Iterator[None]:
        """What fails in a case is not there."""
        told = case.told.get("services", {})
        servers: list[tuple[bool, Running]] = [
            (case.told.get("state_lost", False), self._redis),
            (case.dns.dead, self._dns),
            ("error" in told.get("antivirus", {}), self._clamd),
            ("error" in told.get("antivirus_second", {}), self._other_clamd),
            ("error" in told.get("spamassassin", {}), self._spamd),
        ]
        gone = [server for is_gone, server in servers if is_gone]
        unread = "error" in told.get("reader", {})
        for server in gone:
            server.stop()
        if unread:
            self._languages(whole=False)
        try:
            yield
        finally:
            for server in gone:
                server.start()
            if unread:
                self._languages(whole=True)

    def _languages(self, *, whole: bool) -> None:
        """Tesseract's data for English, or what a disk left of it."""
        self._tessdata.mkdir(exist_ok=True)
        (english,) = Path("/usr/share/tesseract-ocr").glob("*/tessdata/eng.traineddata")
        file = self._tessdata / english.name
        file.unlink(missing_ok=True)
        if whole:
            file.symlink_to(english)
        else:
            file.write_bytes(english.read_bytes()[:1000])

    # --- the mail -----------------------------------------------------------------------------

    def _set_clock(self, case: Case, moment: datetime) -> None:
        if len(case.steps) > 1:  # what lies between them counts
            self._clock.set(moment)
        else:
            self._clock.set_about(moment, _TOLERANCE)

    def _send(self, case: Case, step: Step) -> tuple[Sent, str]:
        """The replies, and what Postfix logged of the session."""
        envelope, postfix = step.envelope, self.installation.postfix
        self._set_clock(case, envelope.received_at)
        before = len(postfix.log())
        sent = postfix.send(
            step.message.read_bytes(),
            to=[recipient.address for recipient in envelope.recipients],
            sender=envelope.sender,
            client=Client(envelope.client_ip, helo=envelope.helo, login=envelope.login or None),
        )
        wait_until(
            lambda: _LEFT.search(postfix.log(), before) is not None,
            timeout=30,
            what="the end of the session in the log",
            detail=postfix.failure_report,
        )
        return sent, postfix.log()[before:]


def _queue_id(sent: Sent, logged: str) -> str:
    """Under which Postfix took the message or refused it at its end; "" if no recipient was left by then."""
    found = [match[1] for reply in sent.replies.values() if (match := _QUEUED.search(reply.text))]
    if found:
        return found[0]
    refused = _REFUSED.search(logged)
    return refused[1] if refused else ""


async def _zones(written: WrittenDNS) -> tuple[dict[str, str], frozenset[tuple[str, str]]]:
    """What was asked of a written DNS, as zones, and the questions that it did not answer.

    The zone `com` is there as in the world: filters look for it before they believe that something else is not.
    """
    names: dict[str, list[str]] = {}
    lost: set[tuple[str, str]] = set()
    missing: set[str] = set()
    for name, rdtype in sorted(set(written.asked)):
        try:
            answer = await written.query(name, rdtype)
        except ServiceError:
            lost.add((name.lower(), rdtype))
            continue
        if not answer.exists:
            missing.add(name.lower())
        else:
            lines = names.setdefault(name.lower(), [])
            lines += [f"{name}. {rdtype} {_presented(rdtype, data)}" for data in answer.records]
    zones = {ROOT: ""}
    if written.dead or (await written.query("com", "NS")).exists:
        zones["com"] = ""
        names.pop("com", None)
    for name, lines in names.items():
        if not lines and any(f".{name}".endswith(f".{gone}") for gone in missing):
            continue  # else the name that is gone would be there, for the sake of this one (RFC 8020)
        zone = "com" if "com" in zones and name.endswith(".com") else ROOT
        # a name with nothing that was asked for is there all the same
        zones[zone] += "\n".join(lines or [f'{name}. HINFO "nothing" "else"']) + "\n"
    return zones, frozenset(lost)


def _presented(rdtype: str, data: str) -> str:
    if rdtype == "TXT":
        parts = [data[start : start + 200] for start in range(0, max(1, len(data)), 200)]
        return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
    return data if rdtype in ("A", "AAAA") or data.endswith(".") else f"{data}."
