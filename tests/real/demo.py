"""`./run demo`: a private Postfix with Tamis behind it, some mail, and who got what and why."""

from __future__ import annotations

import email
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tamis.base.tokens import Purpose, Tokens
from tamis.installation.signing_key import signing_key
from tests.attachments import letter
from tests.documents import pdf, qr_code
from tests.real.daemon import TamisDaemon
from tests.real.postfix import PrivatePostfix
from tests.real.smtp import Client
from tests.real.support import REPOSITORY, HarnessError, private_directory, wait_until

POLICIES = {
    "inbox@example.com": "inbox",
    "tag@example.com": "tag",
    "junk@example.com": "junk",
    "quarantine@example.org": "quarantine",
}

# On the black list of the demo, so that there is spam whatever the content filters think.
_BLACK = "barrister@example.net"

_FROM_THE_CORPUS = (
    "easy-ham-1/00011",
    "easy-ham-1/00012",
    "hard-ham-1/00011",
    "spam-1/00252",
    "spam-2/00011",
)

_RULES = """\
[[rule]]
name = "gift_cards"
match = ['\\bpay by gift cards?\\b']
action = "spam"
"""


def _invoice(page: Canvas) -> None:
    """What only who opens the document sees: words that a rule looks for, and a QR code."""
    page.drawString(80, 700, "Your invoice is due today. Please pay by gift card.")
    page.drawImage(ImageReader(qr_code("https://pay.example.org/")), 80, 450, 150, 150)


_HAND_MADE = {
    "a colleague's note": b"""\
From: Alice <alice@example.net>
To: team@example.com
Subject: Minutes of Tuesday
Date: Mon, 02 Mar 2026 09:00:00 +0000
Message-ID: <minutes@example.net>

Dear all, the minutes are below. Please tell me what I forgot.

Best, Alice
""",
    "an invoice in a PDF": letter({"invoice.pdf": pdf(_invoice)}, kind="application/pdf"),
    "an advance-fee fraud": b"""\
From: "BARRISTER JOHN" <barrister@example.net>
Reply-To: claims@example.org
To: undisclosed-recipients:;
Subject: URGENT!!! YOUR INHERITANCE OF $14,500,000.00 USD
Date: Mon, 02 Mar 2026 09:01:00 +0000
Message-ID: <fraud@example.net>

DEAR FRIEND, I AM CONTACTING YOU IN STRICT CONFIDENCE. THE SUM OF $14,500,000.00
WAS LEFT BY MY LATE CLIENT. SEND YOUR BANK ACCOUNT AND A SMALL FEE TO CLAIM NOW!!!
100% RISK FREE. ACT NOW, THIS OFFER IS CONFIDENTIAL AND GUARANTEED.
""",
}


@dataclass(frozen=True)
class Sample:
    """One message of the demo."""

    name: str
    message: bytes
    client: Client

    @property
    def sender(self) -> str:
        """The envelope sender."""
        return _BLACK if _BLACK.encode() in self.message else "sender@example.net"


def main() -> None:
    """Run the demo; with --once it ends after the summary."""
    once = sys.argv[1:] == ["--once"]
    if sys.argv[1:] and not once:
        raise SystemExit("usage: ./run demo [--once]")
    signal.signal(signal.SIGTERM, _leave)
    directory = private_directory("demo")
    try:
        _demonstrate(directory, once=once)
    except KeyboardInterrupt:
        click.echo("\nstopped")
    except HarnessError as error:
        raise SystemExit(f"the demo failed: {error}") from None
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _demonstrate(directory: Path, *, once: bool) -> None:
    config: dict[str, Any] = {
        "platform": {"domains": ["example.com", "example.org"]},
        "postfix": {"config_directory": "/nonexistent"},
        "milter": {"drain": 2},
        "policy": {
            "filters": {"sinograms": {"state": "on"}},
            "mailboxes": {address: {"outcome": outcome} for address, outcome in POLICIES.items()},
        },
    }
    rules = directory / "rules.toml"
    rules.write_text(_RULES, encoding="utf-8")
    config["rules"] = {"files": [str(rules)]}
    daemon = TamisDaemon(config, directory=directory)
    postfix = PrivatePostfix(
        milter=daemon.milter,
        desk_port=daemon.desk_port,
        reinjection_port=daemon.reinjection_port,
        mailboxes=POLICIES,
    )
    daemon.write_settings(postfix={"config_directory": postfix.config_directory})
    with postfix, daemon:
        click.echo(f"Postfix listens on 127.0.0.1:{postfix.port}, with Tamis as its milter.")
        click.echo("Each message goes to four mailboxes, whose policies for spam differ:")
        for address, outcome in POLICIES.items():
            click.echo(f"    {address:<24} outcome = {outcome}")
        _blacklist(daemon)
        for sample in _samples():
            _show(sample, postfix)
        _show_quarantine(daemon)
        click.echo(f"\nMailboxes: {postfix.directory}/mail   settings: {daemon.config}")
        click.echo(f"The pages, as quarantine@example.org: {_way_in(daemon, 'quarantine@example.org')}")
        if once:
            return
        click.echo(f"Try: .venv/bin/tamis --config {daemon.config} quarantine list")
        click.echo("It stays up until you stop it (Ctrl-C).")
        while True:
            signal.pause()


def _blacklist(daemon: TamisDaemon) -> None:
    snapshot = Path(daemon.settings["state_directory"]) / "snapshot" / "changes"
    before = snapshot.stat().st_mtime_ns
    _tamis(daemon, "lists", "add", "black", "sender", _BLACK, "--note", "for the demo")
    click.echo(f"    {_BLACK} is on the platform's black list")
    # The workers read the lists from this file, which the background process writes.
    wait_until(
        lambda: snapshot.stat().st_mtime_ns != before,
        timeout=30,
        what="the new snapshot",
        detail=daemon.failure_report,
    )


def _tamis(daemon: TamisDaemon, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tamis.cli", "--config", str(daemon.config), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    if done.returncode != 0:
        raise HarnessError(f"tamis {' '.join(arguments)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def _samples() -> Iterator[Sample]:
    corpus = Path(os.environ.get("TAMIS_CORPUS") or REPOSITORY / "corpus") / "spamassassin"
    texts = dict(_HAND_MADE)
    for name in _FROM_THE_CORPUS:
        for path in corpus.glob(f"{name}*.txt"):
            texts[name] = _without_envelope_line(path.read_bytes())
    # Last: by then every worker has taken up the black list.
    texts["an advance-fee fraud"] = texts.pop("an advance-fee fraud")
    for number, (name, text) in enumerate(texts.items(), start=1):
        yield Sample(name, text, Client(f"192.0.2.{number}", f"host{number}.example.net"))


def _without_envelope_line(raw: bytes) -> bytes:
    """A message without the mbox "From " line on top that the corpus kept."""
    return raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw


def _show(sample: Sample, postfix: PrivatePostfix) -> None:
    before = {address: len(postfix.maildir(address)) for address in POLICIES}
    sent = postfix.send(
        sample.message, sender=sample.sender, to=list(POLICIES), client=sample.client, attempts=5
    )
    postfix.wait_idle(60)
    click.echo(f"\n{sample.name}: {_subject(email.message_from_bytes(sample.message))}")
    if not sent.accepted:
        click.echo(f"    Postfix answered {sent.reply.code} {sent.reply.text}")
    got = {
        address: list(
            _received([email.message_from_bytes(m) for m in postfix.maildir(address)[count:]], sample)
        )
        for address, count in before.items()
    }
    if len({tuple(lines) for lines in got.values()}) == 1:
        got = {"all four": next(iter(got.values()))}
    for who, lines in got.items():
        for line in lines:
            click.echo(f"    {who:<24} {line}")


def _received(new: list[Message], sample: Sample) -> Iterator[str]:
    if not new:
        yield "held in quarantine"
    original = _subject(email.message_from_bytes(sample.message))
    for message in new:
        place = "Junk (X-Spam-Flag: YES)" if message["X-Spam-Flag"] == "YES" else "inbox"
        subject = _subject(message)
        changed = "" if subject == original else f', subject "{subject}"'
        yield f"{place}{changed}: {' '.join(str(message['X-Spam-Status']).split())}"


def _subject(message: Message) -> str:
    return " ".join(str(message.get("Subject", "(no subject)")).split())


def _show_quarantine(daemon: TamisDaemon) -> None:
    held = json.loads(_tamis(daemon, "quarantine", "list", "--json"))
    click.echo(f"\nIn quarantine: {len(held)}")
    for message in held:
        click.echo(f"    {message['id']}  for {message['recipient']}, from {message['sender']}")
        click.echo(f"    {'':<26}  {message['decided_by']}: {message['because']}")


def _way_in(daemon: TamisDaemon, mailbox: str) -> str:
    """A link that signs in, as it would be mailed, but good for a day."""
    key = signing_key(Path(daemon.settings["state_directory"]) / "signing.key")
    token = Tokens(key).make(Purpose.SIGN_IN, mailbox, "demo", expires=datetime.now(UTC) + timedelta(days=1))
    return f"{daemon.settings['web']['url']}/sign-in/{token}"


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
