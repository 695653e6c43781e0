"""Mail in Roundcube, set up as docs/guides/mail-programs.md says: what scripts/try-roundcube does in its own Debian.

spam in INBOX -> "Junk" in Roundcube -> Dovecot -> report -> learned
held mail -> digest in INBOX -> "Deliver" in Roundcube -> Tamis's page -> INBOX, opened in Roundcube

python -m scripts.try_roundcube /etc/roundcube          writes there
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.checkout import ROOT
from tests.real import PrivateDovecot, wait_until
from tests.real.dovecot import PASSWORD
from tests.real.support import LOOPBACK, PrivateServer, accepts_connections, find_program, free_port
from tests.road.installation import Installation, spam
from tests.web.browser import chromium, context_of

GUIDE = ROOT / "docs" / "guides" / "mail-programs.md"
MARIE, PAUL = "marie@example.com", "paul@example.com"
_SHARE = Path("/usr/share/roundcube")
_POLICY = {
    "outcome": "quarantine",
    "challenge": "off",
    "digest": ["07:30"],
    "filters": {"cyrillic": {"state": "on"}},
    "mailboxes": {PAUL: {"digest": [], "outcome": "inbox"}},
}
_PATIENCE = 60_000
"""Milliseconds for a page of Roundcube's."""


def guided(guide: str) -> dict[str, str]:
    """The PHP files that the guide's section on Roundcube names, below /etc/roundcube, with the lines for each."""
    section = guide.partition("\n## Roundcube\n")[2].partition("\n## ")[0]
    named = re.findall(r"`/etc/roundcube/([\w/.-]+)`[^`]*?:\n\n((?: {4}.*\n)+)", section)
    return {name: re.sub(r"(?m)^ {4}", "", lines) for name, lines in named}


def configuration(lines: str, *, imap: int, database: Path) -> str:
    """Roundcube's own file: the guide's lines, after those without which it doesn't start here."""
    return f"""<?php
$config['db_dsnw'] = 'sqlite:///{database}?mode=0640';
$config['imap_host'] = '{LOOPBACK}:{imap}';
$config['smtp_host'] = '{LOOPBACK}:25';
$config['des_key'] = 'twenty-four-octets-here!';
$config['language'] = 'en_US';
$config['log_driver'] = 'stdout';
{lines}"""


class Roundcube(PrivateServer):
    """Debian's Roundcube, served by PHP itself. It reads mail from a Dovecot; `etc` is its folder of settings."""

    def __init__(self, dovecot: PrivateDovecot, etc: Path) -> None:
        super().__init__("Roundcube", "roundcube")
        self._dovecot = dovecot
        self._etc = etc
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}/"

    def prepare(self) -> None:
        """Write the settings, and make the database."""
        database = self.directory / "roundcube.sqlite"
        with closing(sqlite3.connect(database)) as made:
            made.executescript((_SHARE / "SQL" / "sqlite.initial.sql").read_text())
        own, *plugins = guided(GUIDE.read_text(encoding="utf-8")).items()
        name, lines = own
        written = configuration(lines, imap=self._dovecot.imap_port, database=database)
        (self._etc / name).write_text(written, encoding="utf-8")
        for name, lines in plugins:
            (self._etc / name).write_text(f"<?php\n{lines}", encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it answers."""
        served = Path("/var/lib/roundcube/public_html")
        folder = served if served.is_dir() else Path("/var/lib/roundcube")
        self._server.start([find_program("php"), "-S", f"{LOOPBACK}:{self._port}", "-t", folder])
        self._server.await_ready(lambda: accepts_connections(self._port), timeout=30, log=self.log)

    def sign_in(self, page: Page, who: str) -> None:
        """Come to the list of the inbox."""
        page.set_default_timeout(_PATIENCE)
        page.goto(self.url)
        page.locator("#rcmloginuser").fill(who)
        page.locator("#rcmloginpwd").fill(PASSWORD)
        page.locator("#rcmloginsubmit").click()
        expect(page.locator("#messagelist")).to_be_visible(timeout=_PATIENCE)


def choose(page: Page, subject: str) -> None:
    """Choose a message in the list once it is there, and wait until it is shown beside it."""
    found = page.locator("#messagelist tbody tr.message:visible").filter(has_text=subject)
    expect(found).to_have_count(1, timeout=_PATIENCE)
    found.click()
    letter = page.frame_locator("#messagecontframe")
    expect(letter.locator("h2.subject")).to_contain_text(subject, timeout=_PATIENCE)
    expect(page.locator("#messagelist tbody tr.message.unread:visible")).to_have_count(0, timeout=_PATIENCE)


def press(page: Page, name: str) -> None:
    """Press a button for the chosen message, and wait until the message has left the list."""
    page.locator(f"a.{name}:visible").first.click()
    expect(page.locator("#messagelist tbody tr.message:visible")).to_have_count(0, timeout=_PATIENCE)


def junk_teaches(
    page: Page, roundcube: Roundcube, installation: Installation, dovecot: PrivateDovecot
) -> None:
    """The button moves a message to Junk, and Tamis has learned it; the other button takes that back."""
    assert installation.postfix.send(spam(1), to=PAUL).accepted
    installation.postfix.wait_idle()
    roundcube.sign_in(page, PAUL)
    choose(page, "Привет")
    press(page, "junk")
    _lies_in(dovecot, inbox=0, junk=1)
    _learned(installation, dovecot, spam=1, ham=0)
    page.goto(f"{roundcube.url}?_task=mail&_mbox=Junk")
    choose(page, "Привет")
    press(page, "notjunk")
    _lies_in(dovecot, inbox=1, junk=0)
    _learned(installation, dovecot, spam=0, ham=1)


def _lies_in(dovecot: PrivateDovecot, *, inbox: int, junk: int) -> None:
    def counted() -> bool:
        return [len(dovecot.mailbox(PAUL, folder)) for folder in ("INBOX", "Junk")] == [inbox, junk]

    wait_until(counted, timeout=60, what=f"{inbox} in INBOX, {junk} in Junk", detail=dovecot.log)


def _learned(installation: Installation, dovecot: PrivateDovecot, *, spam: int, ham: int) -> None:
    def told() -> bool:
        status = installation.tamis("model", "status", "--json")
        return (status["spam"], status["ham"]) == (spam, ham)

    wait_until(
        told,
        timeout=120,
        what=f"{spam} spam and {ham} ham to be learned",
        detail=lambda: dovecot.log() + installation.daemon.failure_report(),
    )


def digest_delivers(
    page: Page, roundcube: Roundcube, installation: Installation, dovecot: PrivateDovecot
) -> None:
    """A held message is delivered from the digest, read in Roundcube, and opened there."""
    assert installation.postfix.send(spam(2), to=MARIE).accepted
    wait_until(lambda: len(installation.held()) == 1, timeout=60, what="the message to be held")
    store = installation.state_directory / "tamis.sqlite"
    with (
        closing(sqlite3.connect(store, timeout=30)) as database,
        database,
    ):  # held since the day before yesterday
        database.execute("UPDATE messages SET held_at = datetime(held_at, '-2 days')")
    wait_until(
        lambda: len(dovecot.mailbox(MARIE)) == 1,
        timeout=120,
        what="the digest",
        detail=installation.daemon.failure_report,
    )
    roundcube.sign_in(page, MARIE)
    choose(page, "is held for you")
    letter = page.frame_locator("#messagecontframe")
    with page.expect_popup() as opened:
        letter.get_by_role("link", name="Deliver", exact=True).click()
    confirming = opened.value
    confirming.set_default_timeout(_PATIENCE)
    confirming.get_by_role("button", name="Do it").click()
    expect(confirming.get_by_role("heading", level=1)).to_contain_text("Delivered", timeout=_PATIENCE)
    installation.postfix.wait_idle()
    wait_until(lambda: len(dovecot.mailbox(MARIE)) == 2, timeout=60, what="the message in INBOX")
    page.goto(f"{roundcube.url}?_task=mail&_mbox=INBOX")
    choose(page, "Привет")
    expect(page.frame_locator("#messagecontframe").locator("#messagebody")).to_contain_text(
        "номер 2", timeout=_PATIENCE
    )
    assert installation.held() == []


@contextmanager
def everything(etc: Path) -> Iterator[tuple[Roundcube, Installation, PrivateDovecot]]:
    """Postfix, Tamis, Dovecot and Roundcube, which know each other."""
    with PrivateDovecot(learning=True) as dovecot:
        settings = {"learning": {"spool": str(dovecot.spool)}}
        with (
            Installation(
                policy=_POLICY,
                settings=settings,
                mailbox_transport=dovecot.transport,
                mailboxes=[MARIE, PAUL],
            ) as installation,
            Roundcube(dovecot, etc) as roundcube,
        ):
            yield roundcube, installation, dovecot


def main(etc: Path) -> None:
    """Try it, and say what was."""
    with everything(etc) as parts, chromium() as browser:
        for what in (junk_teaches, digest_delivers):
            context = context_of(browser)
            page = context.new_page()
            try:
                what(page, *parts)
            except BaseException:
                seen = ROOT / "build" / f"{what.__name__}.png"
                seen.parent.mkdir(exist_ok=True)
                page.screenshot(path=seen)
                sys.stderr.write(f"{seen}\n{parts[0].log()}\n{parts[2].log()}\n")
                raise
            finally:
                context.close()
            sys.stdout.write(f"{(what.__doc__ or '').splitlines()[0]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
