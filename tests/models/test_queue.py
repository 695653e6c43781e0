"""Reports on their way into the model: none lost, none doubled, nobody teaches too much."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.message.test_strings import TEST_STRINGS
from tamis.models.features import extract
from tamis.models.ledger import LEDGER, UNATTENDED, WATCHED, Ledger
from tamis.models.queue import Queue
from tamis.models.reports import (
    Report,
    ReportError,
    Spool,
    message_id,
    read_report,
    report_solved_challenge,
)
from tamis.models.site_model import LEVELS, SiteModel, home_of
from tamis.models.teaching import Teacher
from tamis.settings import LearningSettings, Platform, Settings
from tests.models.mails import raw_mail

KILLS = 200
_FORK = multiprocessing.get_context("fork")


def settings_in(folder: Path, **learning: int) -> Settings:
    return Settings(state_directory=folder, learning=LearningSettings(minimum=50, **learning))


def teacher_of(settings: Settings, reach: int = 4000) -> Teacher:
    return Teacher(settings.model_directory, minimum=settings.learning.minimum, reach=reach)


def report(settings: Settings, numbers: range, *, source: str = "learn", reporter: str = "-") -> None:
    for number in numbers:
        spam = number % 2 == 0
        Spool(settings.spool_directory).put(
            "spam" if spam else "ham", source, reporter, raw_mail(number, spam=spam)
        )


def take_in(settings: Settings) -> tuple[int, int]:
    with teacher_of(settings) as teacher:
        queue = Queue(settings, teacher)
        while queue.take_in():
            pass
        return teacher.learned


def test_a_message_has_one_id_in_all_its_copies() -> None:
    raw = raw_mail(1, spam=False)
    names = {
        message_id(Mail(copy))
        for copy in (
            raw,
            raw.replace(b"\n", b"\r\n"),
            raw + b"\n",
            b"X-Spam-Flag: YES\nDelivered-To: marie@example.com\n" + raw,
            raw.replace(b"Subject: ", b"Subject: SPAM: "),
        )
    }
    assert len(names) == 1
    assert message_id(Mail(raw_mail(3, spam=False))) not in names
    assert len(message_id(Mail(b""))) == 32


def test_reports_wait_in_order_and_are_learned_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    report(settings, range(10))
    report(settings, range(10), source="dovecot", reporter="marie@example.com")
    assert Spool(settings.spool_directory).waiting() == 20
    assert take_in(settings) == (5, 5)
    assert Spool(settings.spool_directory).waiting() == 0
    Spool(settings.spool_directory).put("forget", "learn", "-", raw_mail(3, spam=False))
    assert take_in(settings) == (4, 5)
    Spool(settings.spool_directory).put("spam", "learn", "-", raw_mail(5, spam=False))
    assert take_in(settings) == (3, 6)


def test_what_is_no_report_does_no_harm(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    spool = Spool(settings.spool_directory)
    report(settings, range(2))
    folder = settings.spool_directory
    (folder / "0a").write_bytes(b"")
    (folder / "0b").write_bytes(b"tamis-report 1 spam nobody -\nX: y\n\n")
    (folder / "0c").symlink_to("/etc/passwd")
    os.mkfifo(folder / "0d")
    (folder / ".half").write_bytes(b"tamis-report 1 spam learn -\n")
    assert take_in(settings) == (1, 1)
    assert spool.names() == []
    assert Path("/etc/passwd").exists()
    with pytest.raises(ReportError):
        read_report(Path("/dev/null"))


def test_what_may_not_be_read_stays_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    spool, folder = Spool(settings.spool_directory), settings.spool_directory
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"0{number}.closed").write_bytes(b"tamis-report 1 spam dovecot marie@example.com\nX: y\n\n")
    (folder / "0.folder").mkdir()
    report(settings, range(2))
    opened = os.open

    def refusing(path: Any, *arguments: Any, **more: Any) -> int:
        if str(path).endswith(".closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr("tamis.models.reports.os.open", refusing)
        patched.setattr("tamis.models.queue.BATCH", 1)
        assert take_in(settings) == (1, 1)
        assert spool.unreadable() == spool.names() == ["0.folder", "00.closed", "01.closed", "02.closed"]
    assert spool.unreadable() == ["0.folder"]
    assert take_in(settings) == (1, 2), "they are learned when they can be read"


def test_a_reporter_cant_write_lines_or_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool")
    path = spool.put("spam", "dovecot", "a b\nham learn -\n" + 500 * "x", b"X: y\n\n")
    found = read_report(path)
    assert (found.label, found.source, found.raw) == ("spam", "dovecot", b"X: y\n\n")
    monkeypatch.setattr("tamis.models.reports.MAX_WAITING", 1)
    with pytest.raises(ReportError):
        spool.put("spam", "dovecot", "-", b"")


def test_one_reporter_domain_or_source_teaches_so_much_a_day(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, per_reporter=3, per_domain=5, per_source=8)
    for number, reporter in enumerate(
        ("a@example.com", "b@example.com", "c@example.com", "d@example.net", "e@example.org")
    ):
        report(settings, range(20 * number, 20 * number + 4), source="dovecot", reporter=reporter)
    assert sum(take_in(settings)) == 3 + 2 + 0 + 3 + 0
    report(settings, range(200, 220))
    assert sum(take_in(settings)) == 8 + 20, "the operator's own are not bounded"
    ledger = Ledger(day=1)
    one = Report("spam", "dovecot", "a@example.com", b"", tmp_path)
    bounds = LearningSettings(per_reporter=1)
    assert [ledger.admits(one, bounds, day) for day in (1, 1, 2)] == [True, False, True]


def test_what_nobody_looked_at_teaches_less(tmp_path: Path) -> None:
    """A honeypot's client and a user: a fifth of what a reader may teach; who solved challenges: a 25th."""
    settings = settings_in(tmp_path, per_reporter=10)
    report(settings, range(8), source="honeypot", reporter="192.0.2.0/24")
    report(settings, range(8, 12), source="honeypot", reporter="198.51.100.0/24")
    assert sum(take_in(settings)) == 4
    assert report_solved_challenge(settings, "bob@example.net", raw_mail(21, spam=False)).exists()
    assert take_in(settings) == (3, 2)
    ledger = Ledger.load(settings.model_directory / LEDGER)
    assert ledger.learned == {"honeypot": 4, "challenge": 1}
    assert ledger.dropped == {"honeypot": 8}
    bounds = LearningSettings(per_reporter=50, per_domain=100)
    for source, reporter, most in (("evident", "bob@a{}.example", 2), ("evident", "bob{}@b.example", 4)):
        admitted = [
            ledger.admits(Report("ham", source, reporter.format(number // 3), b"", tmp_path), bounds, 1)
            for number in range(3 if "a{}" in reporter else 30)
        ]
        assert sum(admitted) == most


def test_five_thousand_honeypot_mails_silence_no_reader(tmp_path: Path) -> None:
    """From as many networks, on the day of a flood: what nobody looked at has a budget of its own."""
    ledger, bounds = Ledger(day=1), LearningSettings()
    flood = [
        ledger.admits(Report("spam", "honeypot", f"2001:db8:{n:x}::/48", b"", tmp_path), bounds, 1)
        for n in range(5000)
    ]
    assert sum(flood) == bounds.per_source // UNATTENDED
    readers = [
        ledger.admits(Report("spam", "dovecot", f"reader{n}@{n % 50}.example", b"", tmp_path), bounds, 1)
        for n in range(4000)
    ]
    assert all(readers)


def test_who_answers_challenges_uses_up_no_domains_budget(tmp_path: Path) -> None:
    ledger, bounds = Ledger(day=1), LearningSettings(per_domain=10)
    for number in range(50):
        ledger.admits(Report("ham", "challenge", f"forged{number}@example.com", b"", tmp_path), bounds, 1)
    assert ledger.admits(Report("spam", "dovecot", "marie@example.com", b"", tmp_path), bounds, 1)


def test_more_readers_than_are_counted_one_by_one_still_teach(tmp_path: Path) -> None:
    ledger, bounds = Ledger(day=1), LearningSettings(per_source=20_000, per_domain=12_000)
    reports = (Report("spam", "web", f"r{n}@example.com", b"", tmp_path) for n in range(12_500))
    assert sum(ledger.admits(one, bounds, 1) for one in reports) == 12_000
    assert len(ledger.taught) <= 10_000


def test_a_mailbox_is_one_reporter_with_all_its_addresses(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, per_reporter=2)
    for number in range(6):
        report(settings, range(number, number + 1), source="web", reporter=f"marie+{number}@example.com")
    assert sum(take_in(settings)) == 2


def test_what_nobody_looked_at_does_not_teach_against_a_sure_model(tmp_path: Path) -> None:
    """Whoever sends other people's newsletters to honeypots, or spam from a stolen account, teaches nothing."""
    settings = settings_in(tmp_path, per_reporter=500)
    report(settings, range(400))
    take_in(settings)
    with teacher_of(settings) as teacher:
        assert teacher.measure() is not None
    spool = Spool(settings.spool_directory)
    for number in range(1001, 1061, 2):
        spool.put("spam", "honeypot", f"192.0.2.{number % 8}", raw_mail(number, spam=False))
    spool.put("spam", "honeypot", "203.0.113.0/24", raw_mail(1100, spam=True))
    spool.put("spam", "dovecot", "marie@example.com", raw_mail(1201, spam=False))
    assert take_in(settings) == (200, 202)
    ledger = Ledger.load(settings.model_directory / LEDGER)
    assert ledger.dropped == {"honeypot": 30}
    assert ledger.alarm("honeypot")
    assert not ledger.alarm("dovecot")


def test_readers_teach_their_domain_s_correction(tmp_path: Path) -> None:
    settings = Settings(
        state_directory=tmp_path,
        platform=Platform(domains=("example.com", "example.org")),
        learning=LearningSettings(minimum=50, per_reporter=1000),
    )
    report(settings, range(400))
    take_in(settings)
    spool = Spool(settings.spool_directory)
    for number in range(1001, 1081, 2):
        spool.put("spam", "dovecot", "marie@example.com", raw_mail(number, spam=False))
        spool.put("spam", "dovecot", "x@elsewhere.example", raw_mail(number + 200, spam=True))
    take_in(settings)
    with teacher_of(settings) as teacher:
        assert teacher.measure() is not None
        asked = extract(Mail(raw_mail(3001, spam=False)))
        mine, theirs, none = (teacher.score(asked, d) for d in ("example.com", "example.org", ""))
        assert mine > theirs == none
        assert teacher.score(asked, "elsewhere.example") == none, "no domain of the platform"
    to = tuple(Recipient(f"marie@{domain}") for domain in ("example.com", "example.org"))
    reading = SiteModel(settings).read(Envelope(recipients=to), Mail(raw_mail(3001, spam=False)))
    assert reading is not None
    assert list(reading.corrected) == ["example.com"]
    assert reading.corrected["example.com"][1] > (reading.probability or 0)


def test_a_source_that_contradicts_a_sure_model_raises_an_alarm() -> None:
    ledger = Ledger()
    for _ in range(WATCHED):
        ledger.watch("dovecot", contradicts=False)
    assert not ledger.alarm("dovecot")
    for _ in range(WATCHED // 2):
        ledger.watch("dovecot", contradicts=True)
    assert ledger.alarm("dovecot")
    assert len(ledger.contradictions["dovecot"]) == WATCHED
    assert not ledger.alarm("web")


def test_the_order_of_teaching_leaves_no_trace(tmp_path: Path) -> None:
    """All ham, then all spam, gives the same scores as both in turn; and what was taken back is out of it too."""
    mails = [(number, number % 2 == 0) for number in range(160)]
    asked = extract(Mail(raw_mail(1000, spam=True)))
    scores = []
    for name, order in (("turn", mails), ("block", sorted(mails, key=lambda one: one[1]))):
        with Teacher(tmp_path / name, minimum=50) as teacher:
            for number, spam in order:
                features = extract(Mail(raw_mail(number, spam=spam)))
                teacher.teach(message_id(Mail(raw_mail(number, spam=spam))), features, spam=spam, weight=1.0)
            extra = raw_mail(500, spam=True)
            teacher.teach(message_id(Mail(extra)), extract(Mail(extra)), spam=False, weight=1.0)
            teacher.measure()
            assert teacher.forget(message_id(Mail(extra)))
            assert teacher.measure() is not None
            scores.append(teacher.score(asked))
    assert scores[0] == scores[1]


def test_shadow_until_enough_is_learned_then_levels(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    site = SiteModel(settings)
    spam, ham = (Mail(raw_mail(number, spam=number == 2000)) for number in (2000, 2001))
    assert site.read(Envelope(), spam) is None
    assert site.reasons(Envelope(), spam, 3) == ()
    report(settings, range(98))
    assert take_in(settings) == (49, 49)
    early = site.read(Envelope(), spam)
    assert early is not None
    assert (early.ham, early.spam, early.needed, early.number) == (49, 49, 50, None)
    report(settings, range(98, 160))
    take_in(settings)
    with teacher_of(settings) as teacher:
        assert teacher.measuring_due()
        assert teacher.measure() is not None
        assert not teacher.measuring_due()
        measured = settings.model_directory / LEVELS
        now = measured.read_bytes()
        measured.write_bytes(json.dumps(json.loads(now) | {"familiar": None}).encode())
        assert teacher.measuring_due(), "levels of the version before"
        measured.write_bytes(now)
    told = Envelope(
        client_ip="192.0.2.7", client_name="mail.bulk1.example", helo="x", sender="y@bulk1.example"
    )
    sure, clean = site.read(told, spam), site.read(told, ham)
    assert sure is not None
    assert clean is not None
    assert (sure.number or 0) > 3 > (clean.number or 0)
    assert (sure.probability or 0) > 0.5 > (clean.probability or 1)
    assert len(site.reasons(Envelope(), spam, 3)) == 3


def test_what_is_known_is_known_beyond_the_journal(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with teacher_of(settings, reach=5) as teacher:
        names = []
        for number in range(40):
            mail = Mail(raw_mail(number, spam=number % 2 == 0))
            names.append(message_id(mail))
            teacher.teach(names[-1], extract(mail), spam=number % 2 == 0, weight=1.0)
    ids = settings.model_directory / "learned.ids"
    ids.write_bytes(ids.read_bytes() + b"half")
    with teacher_of(settings, reach=5) as teacher:
        assert all(teacher.known(name, spam=number % 2 == 0) for number, name in enumerate(names))
        assert not teacher.known(names[0], spam=False)
        assert not teacher.forget(names[0]), "beyond reach"
        assert teacher.forget(names[-1])
        assert not teacher.known(names[-1], spam=False)


def _work(settings: Settings) -> None:
    with teacher_of(settings) as teacher:
        queue = Queue(settings, teacher)
        while queue.take_in():
            pass
    time.sleep(60)


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """200 times: every report is in the model once, whatever was under way."""
    settings = settings_in(tmp_path)
    home_of(settings)
    random_ = random.Random(3)
    count = 0
    for _ in range(KILLS):
        report(settings, range(count, count + 3))
        count += 3
        child = _FORK.Process(target=_work, args=(settings,))
        child.start()
        time.sleep(random_.uniform(0.0, 0.12))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    assert take_in(settings) == (count // 2, count // 2)
    reading = SiteModel(settings).read(Envelope(), Mail(raw_mail(0, spam=True)))
    assert reading is not None
    assert reading.ham + reading.spam == count


def test_a_test_message_teaches_and_marks_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    raw = raw_mail(2, spam=True) + f"\r\n{TEST_STRINGS['spam']}\r\n".encode()
    Spool(settings.spool_directory).put("spam", "dovecot", "marie@example.com", raw)
    attended: list[Report] = []

    def attend(one: Report, mail: Mail) -> Mail:
        attended.append(one)
        return mail

    with teacher_of(settings) as teacher:
        assert Queue(settings, teacher, attend=attend).take_in() == 1
        assert (teacher.learned, attended) == ((0, 0), [])
    assert Spool(settings.spool_directory).waiting() == 0
