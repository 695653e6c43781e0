"""What teaches without anybody's report."""

from __future__ import annotations

from pathlib import Path

from tamis.chain.road import Examined
from tamis.contract.finding import Finding, Status
from tamis.handover.teaching_samples import Samples
from tamis.judging.plan import Plan
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.models.features import extract
from tamis.models.header_tokens import Arrival
from tamis.models.reports import Report, Spool
from tamis.settings import LearningSettings, Settings

RAW = b"Subject: x\r\nFrom: a@example.net\r\n\r\nhello\r\n"
STRANGER = Envelope(
    client_ip="192.0.2.7",
    client_name="mail.example.net",
    helo="mail.example.net",
    sender="a@example.net",
    recipients=(Recipient("trap@example.org"),),
)
OWN = Envelope(client_ip="192.0.2.8", sender="marie@example.org", login="marie")


def written(folder: Path, envelope: Envelope, *, trapped: bool = False, **learning: bool) -> list[Report]:
    settings = Settings(state_directory=folder, learning=LearningSettings(**learning))
    findings = (
        {"honeypot": Finding("honeypot", Status.HIT, "", {"traps": ["trap@example.org"]})} if trapped else {}
    )
    samples = Samples()
    for number in range(12):
        mail = Mail(RAW + str(number).encode())
        samples.take(settings, Examined(envelope, findings, (), Plan()), mail)
    samples.write(settings)
    found = list(Spool(settings.spool_directory).reports(100))
    return [one for one in found if isinstance(one, Report)]


def test_a_honeypot_teaches_spam_with_the_trace_that_a_stored_copy_would_have(tmp_path: Path) -> None:
    reports = written(tmp_path, STRANGER, trapped=True)
    assert len(reports) == 10, "what comes at once is bounded"
    first = reports[0]
    assert (first.label, first.source, first.reporter) == ("spam", "honeypot", "192.0.2.0/24")
    arrival = Arrival(STRANGER.client_ip, STRANGER.client_name, STRANGER.helo, STRANGER.sender)
    stored, door = extract(Mail(first.raw)), extract(Mail(RAW + b"0"), arrival=arrival)
    assert stored.indices.tolist() == door.indices.tolist()


def test_other_mail_of_strangers_teaches_nothing(tmp_path: Path) -> None:
    assert written(tmp_path, STRANGER) == []
    assert written(tmp_path, STRANGER, trapped=True, honeypot=False) == []


def test_outgoing_mail_teaches_ham_where_it_is_wanted(tmp_path: Path) -> None:
    assert written(tmp_path, OWN) == []
    (first, *_) = written(tmp_path, OWN, outgoing=True)
    assert (first.label, first.source, first.reporter) == ("ham", "outgoing", "marie@example.org")
