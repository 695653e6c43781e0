"""Today's Tamis starts on what the version before left behind: its store, its state directory, its files in flight.

The version before is checked out of this repository's history and makes all that itself.
"""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tamis.installation.paths import Paths
from tamis.settings import SettingsFile
from tamis.store import Store
from tests.checkout import ROOT
from tests.desk.smtp import Listener
from tests.real.daemon import TamisDaemon, to_toml
from tests.real.support import private_directory, wait_until

BEFORE = "eec2d9fb9d13c1f23e6031d15f630d625684f4c4"
"""Version 0.1, the last one whose rooms were others. A release names the one before it here."""

MAKE = """
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
import json
from tamis.cli import main
from tamis.history import to_line
from tamis.milter.detour import Detour, DetourSigner, new_transaction
from tamis.milter.files import write_json
from tamis.milter.journal import Journal, finished, read_stories
from tamis.milter.key import signing_key
from tamis.milter.notes import Note, Notes, verdict_data
from tamis.milter.paths import Paths
from tamis.models.reports import report_solved_challenge
from tamis.quarantine.marks import Kind, Mark
from tamis.quarantine.store import Store
from tamis.settings import SettingsFile
from tests.filters.golden import cases
from tests.road.installation import ham, spam
from tests.web.samples import content, message

config = Path(sys.argv[1])
settings = SettingsFile(None, config.read_text()).settings

def tamis(*arguments):
    try:
        main(["--config", str(config), *arguments])
    except SystemExit as ended:
        assert not ended.code, (arguments, ended.code)

paths = Paths(settings)
signer = DetourSigner(signing_key(settings.key_file))
told = {}
with Store(settings.store_url) as store:
    store.migrate()
    told["held"] = [store.quarantine.hold(message(n), content(f"No. {n}")) for n in (1, 2, 3)]
    told["asked"] = store.challenges.hold_asked(message(4), content("No. 4"), language="fr", authenticated=True)
    told["secret"] = store.sessions.begin("marie@example.com", timedelta(days=1), how="password")
    store.quarantine.delete(told["held"][2], by="marie@example.com")
tamis("lists", "add", "white", "sender", "friend@example.net", "--note", "ours")
tamis("lists", "add", "black", "ip", "198.51.100.7", "--scope", "example.com")
tamis("policy", "set", "example.org", "outcome", "tag")

folder = config.parent / "taught"
for kind, made in (("ham", ham), ("spam", spam)):
    (folder / kind).mkdir(parents=True)
    for n in range(60):
        text = made(n).replace(b"\\r\\n\\r\\n", b"\\r\\n\\r\\n%s %d words\\r\\n" % (kind.encode(), n), 1)
        (folder / kind / f"{n}.eml").write_bytes(text)
tamis("learn", "ham", str(folder / "ham"), "spam", str(folder / "spam"))
report_solved_challenge(settings, "late@example.net", ham(99))  # waits in the spool

stories = [case.examined for case in cases()]
def journal(some):
    one = Journal(paths.journal, settings.history.journal)
    for number, examined in some:
        one.write(to_line(examined.envelope, examined.findings, examined.judged, message_id=f"<{number}@x>", size=7))
    one.rotate()
numbered = list(enumerate(stories))
journal(numbered[::2])
with Store(settings.store_url) as store:
    for file in list(finished(paths.journal)):
        store.history.add(list(read_stories(file)))
        file.unlink()
journal(numbered[1::2])
told["copies"] = sum(len(one.judged) for one in stories)

held = next(one for one in stories if one.judged[0].outcome == "quarantine")
judged = held.judged[0]
queued = (
    ("marie@example.com", "quarantine"),
    ("marie@example.com", "tag"),
    ("Marie.Martin+Order@example.com", "quarantine"),
    ("zoe@b\\u00fccher.example", "quarantine"),
)
told["queued"] = []
for recipient, outcome in queued:
    address = signer.address(Detour(recipient, new_transaction(), outcome))
    note = Note(judged.headers, "SPAM: ", 30, verdict_data(judged.verdict), tuple(held.findings.values()),
                held.envelope)
    Notes(paths.notes).write(address, note)
    told["queued"].append((recipient, outcome, address))
told["decided_by"] = judged.verdict.decided_by
write_json(paths.marks / "00000000000000000001-1.json",
           [asdict(Mark(Kind.ATTACHMENT, "a" * 64, "example.com", "<m>", "marie@example.com", True))])
write_json(paths.hits / "1.json", {"1": 3})
Path(sys.argv[2]).write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout of the version before."""
    made = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(ROOT), "archive", "--format=tar", BEFORE],
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, (
        f"{made.stderr.decode()}the history is not whole: git fetch --unshallow gets {BEFORE[:7]}"
    )
    folder = tmp_path_factory.mktemp("before")
    subprocess.run(["tar", "x", "-C", str(folder)], input=made.stdout, check=True)
    return folder


@dataclass
class Upgraded:
    """Today's daemon on what was left, and what the version before told of it."""

    daemon: TamisDaemon
    told: dict[str, Any]
    postbox: Listener
    paths: Paths
    url: str

    def tamis(self, *arguments: str) -> Any:
        """What today's command prints, as JSON."""
        command = [
            sys.executable,
            "-m",
            "tamis.cli",
            "--config",
            str(self.daemon.config),
            *arguments,
            "--json",
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode in (0, 1), ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def upgraded(request: pytest.FixtureRequest, before: Path) -> Iterator[Upgraded]:
    folder = private_directory("upgrade")
    settings: dict[str, Any] = {
        "state_directory": str(folder / "state"),
        "run_directory": str(folder / "run"),
        "platform": {"domains": ["example.com", "example.org"]},
        "learning": {"minimum": 50},
        "history": {"days": 3650},
    }
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create_database("upgrade")
        settings["store"] = {"url": url}
    for name in ("state", "run"):
        (folder / name).mkdir()
    (folder / "before.toml").write_text(to_toml(settings))
    alone = {"PATH": os.environ["PATH"], "PYTHONPATH": str(before), "HOME": str(folder)}
    command = [sys.executable, "-c", MAKE, str(folder / "before.toml"), str(folder / "told.json")]
    made = subprocess.run(command, cwd=before, env=alone, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr + made.stdout
    with Listener() as postbox:
        desk = {"desk": {"reinject": postbox.address}}
        with TamisDaemon(settings | desk, directory=folder) as daemon:
            paths = Paths(SettingsFile(None, daemon.config.read_text()).settings)
            told = json.loads((folder / "told.json").read_text())
            yield Upgraded(daemon, told, postbox, paths, url or f"sqlite:///{folder}/state/tamis.sqlite")


def test_held_mail_is_released_as_it_came(upgraded: Upgraded) -> None:
    first, second, deleted = upgraded.told["held"]
    shown = {one["id"]: one for one in upgraded.tamis("quarantine", "list")}
    assert {first, second, upgraded.told["asked"][0]} <= set(shown)
    assert deleted not in shown
    assert (shown[first]["subject"], shown[first]["decided_by"]) == ("Votre devis", "reverse_dns")
    before = len(upgraded.postbox.got)
    upgraded.tamis("quarantine", "release", first)
    (released,) = upgraded.postbox.got[before:]
    assert released.recipients == ["marie@example.com"]
    assert released.sender == "contact@garage.example.net"
    assert b"No. 1" in released.content
    with Store(upgraded.url) as store:
        content = store.quarantine.content(second)
        assert content is not None
        assert b"No. 2" in content
        found = store.sessions.find(upgraded.told["secret"])
        assert found is not None
        assert (found.address, found.strong) == ("marie@example.com", False)
        (challenge,) = [one for one in store.challenges.list() if one.id == upgraded.told["asked"][1]]
        assert (challenge.state, challenge.sender) == ("asked", "contact@garage.example.net")


def test_lists_and_policy_apply(upgraded: Upgraded, tmp_path: Path) -> None:
    (tmp_path / "empty.eml").write_bytes(b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\n")
    message = str(tmp_path / "empty.eml")
    told = upgraded.tamis("scan", "--from", "friend@example.net", "--rcpt", "marie@example.com", message)
    assert told["recipients"][0]["decided_by"] == "sender_whitelist"
    told = upgraded.tamis("scan", "--from", "x@example.net", "--rcpt", "paul@example.org", message)
    assert (told["recipients"][0]["verdict"], told["recipients"][0]["outcome"]) == ("spam", "tag")
    told = upgraded.tamis("scan", "--ip", "198.51.100.7", "--rcpt", "marie@example.com", message)
    assert told["recipients"][0]["decided_by"] == "ip_blacklist"


def test_what_was_on_its_way_arrives(upgraded: Upgraded) -> None:
    """The journal, marks and hit counts that the daemon before had not taken into the store."""
    copies = upgraded.told["copies"]
    with Store(upgraded.url) as store:
        wait_until(lambda: store.history.count() == copies, timeout=60, what="the journal in the store")
        assert not list(upgraded.paths.journal.glob("*.jsonl"))

        def arrived() -> bool:
            (hit,) = [one for one in store.lists.find() if one.pattern == "friend@example.net"]
            return hit.hits == 3 and not list(upgraded.paths.marks.iterdir())

        wait_until(arrived, timeout=60, what="hits and marks in the store")


def test_old_stories_are_judged_again(upgraded: Upgraded) -> None:
    """All are read and judged, under a policy without anything set; most of the cases need no other."""
    copies = upgraded.told["copies"]
    with Store(upgraded.url) as store:
        wait_until(lambda: store.history.count() == copies, timeout=60, what="the journal in the store")
    told = upgraded.tamis("replay", "--since", "2000-01-01")
    assert told["copies"] == copies
    assert told["same"] > copies / 2, told


def test_the_model_reads_and_goes_on_learning(upgraded: Upgraded, tmp_path: Path) -> None:
    def ham() -> int:
        return int(upgraded.tamis("model", "status")["ham"])

    wait_until(lambda: ham() == 61, timeout=60, what="the report that waited")
    assert upgraded.tamis("model", "status")["spam"] == 60
    (tmp_path / "one.eml").write_bytes(b"From: a@example.net\r\nSubject: x\r\n\r\nspam 3 words\r\n")
    told = upgraded.tamis("scan", "--rcpt", "marie@example.com", str(tmp_path / "one.eml"))
    (found,) = [one for one in told["findings"] if one["filter"] == "statistics"]
    assert found["status"] in ("hit", "clear"), found


def test_copies_that_postfix_had_queued_are_taken(upgraded: Upgraded) -> None:
    """Under addresses that the version before signed, with the notes that it wrote."""
    host, _, port = str(upgraded.daemon.settings["desk"]["socket"]).removeprefix("inet:").rpartition(":")
    before = len(upgraded.postbox.got)
    with smtplib.LMTP(host, int(port)) as lmtp:
        for _, _, address in upgraded.told["queued"]:
            lmtp.sendmail("x@example.net", address, b"Subject: queued\r\n\r\nx\r\n", ["SMTPUTF8"])
    with Store(upgraded.url) as store:
        held = [one for one in store.quarantine.list() if one.subject == "queued"]
    assert {one.decided_by for one in held} == {upgraded.told["decided_by"]}
    expected = {
        recipient.lower() for recipient, outcome, _ in upgraded.told["queued"] if outcome == "quarantine"
    }
    assert {one.recipient.lower() for one in held} == expected
    (tagged,) = upgraded.postbox.got[before:]
    assert tagged.recipients == ["marie@example.com"]
    assert b"Subject: SPAM: queued" in tagged.content
    left = [upgraded.paths.notes, upgraded.paths.former_notes]
    assert not [note for folder in left if folder.is_dir() for note in folder.iterdir()]
