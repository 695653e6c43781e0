"""S8b and what is nearly the same as marked spam: from the mark to the verdict about the next copy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.chain.road import Road
from tamis.contract.finding import Finding, Status
from tamis.contract.marked_sketches import MOST_ALIKE, read_sketches, sketches_key
from tamis.contract.service_protocols import Services
from tamis.database.marks import EndedMark, MarkKind
from tamis.handover.marking import marks_of, publish, publish_all
from tamis.message.address import PLATFORM
from tamis.message.mail import Mail
from tamis.people.rights import Reach
from tamis.services.runner import Runner
from tamis.settings import Settings
from tamis.settings.people import HeaderSettings
from tests.builders import MARIE, STRANGER_IP, book, envelope, site, verdict_of
from tests.fresh_store import new_store
from tests.memory_state import MemoryState
from tests.message.mail.test_likeness import LINES, TERMS
from tests.services.dns.resolving import WrittenDNS

SPF = {"example.net TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}
PASSED = "Authentication-Results: mx.example.com;\r\n\tspf=pass smtp.mailfrom=example.net\r\n"
SETTINGS = Settings(headers=HeaderSettings(authserv_id="mx.example.com"))
SOON = datetime.now(UTC) + timedelta(days=30)


def copy(number: int = 1, lines: list[str] = LINES, *, name: str = "Marie", head: str = "") -> bytes:
    text = "\r\n".join([f"Dear {name},", *lines, f"Order {number}"])
    return f"{head}From: a{number}@example.net\r\nSubject: Offer {number}\r\n\r\n{text}\r\n".encode()


class Domain:
    """A platform whose readers mark messages, and to which more of them come."""

    def __init__(self, folder: Path) -> None:
        self.state, self.store = MemoryState(), new_store(folder / "tamis.sqlite")

    def mark(
        self,
        raw: bytes,
        *,
        spam: bool | None = True,
        scope: str = "example.com",
        reporter: str = MARIE,
        expires: datetime = SOON,
    ) -> None:
        told = marks_of(
            Mail(raw), (), SETTINGS, scope=scope, reporter=reporter, spam=spam, origin=STRANGER_IP
        )
        asyncio.run(publish(self.store.marks.note(told, expires=expires), self.store, self.state, 5))

    def look(self, raw: bytes, dns: WrittenDNS | None = None, **transaction: str) -> Finding:
        services = replace(Services(), state=self.state, dns=dns or WrittenDNS())
        found = Road(site(""), Runner(), services).end_of_message(envelope(**transaction), Mail(raw))
        return found.findings["marked_spam"]

    def kept(self) -> set[MarkKind]:
        return {kind for kind in MarkKind if self.store.marks.find(kind)}


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[Domain]:
    made = Domain(tmp_path)
    with made.store:
        yield made


def because(finding: Finding, options: str = "", recipient: str = MARIE) -> str:
    verdict = verdict_of(book(f"[filters.marked_spam]\n{options}").policy(recipient), finding)
    return verdict.because if verdict.decided_by == "marked_spam" else ""


def test_a_copy_with_another_name_and_number_is_marked_as_well(domain: Domain) -> None:
    domain.mark(copy())
    found = domain.look(copy(2, name="Paul"))
    assert because(found) == (
        "same origin and nearly the same content as spam that was marked by hand (marks: 1)"
    )
    assert because(found, recipient="zoe@example.org") == ""
    assert because(found, "marks = 2") == ""
    assert because(found, "likeness = 0.99") == ""
    assert (
        because(domain.look(copy())) == "same origin and content as spam that was marked by hand (marks: 1)"
    )
    assert domain.look(copy(2), client_ip="192.0.2.8").status is Status.CLEAR
    assert domain.look(copy(2, [TERMS])).status is Status.CLEAR


def test_not_spam_ends_the_marks_of_what_is_alike(domain: Domain) -> None:
    domain.mark(copy(1))
    domain.mark(copy(9, [TERMS]))
    domain.mark(copy(2), spam=False)
    assert domain.look(copy(3)).status is Status.CLEAR
    assert because(domain.look(copy(3, [TERMS])))
    domain.mark(copy(9, [TERMS]), spam=None)  # its own word is taken back
    assert domain.look(copy(3, [TERMS])).status is Status.CLEAR
    assert sketches_key(STRANGER_IP) not in domain.state._kept


def test_what_an_operator_ends_and_brings_back(domain: Domain) -> None:
    domain.mark(copy())
    (one,) = domain.store.marks.find(MarkKind.MESSAGE)
    ended = domain.store.marks.end(
        one.kind, one.fingerprint, one.scope, by="root", reach=Reach(frozenset({PLATFORM}))
    )
    about = [(each.mark.kind, each.mark.fingerprint) for each in ended]
    assert domain.kept() == set()
    asyncio.run(publish(about, domain.store, domain.state, 5))
    assert domain.look(copy(2)).status is Status.CLEAR
    back = domain.store.marks.bring_back(tuple(map(again, ended)), by="root")
    asyncio.run(publish(back, domain.store, domain.state, 5))
    assert because(domain.look(copy(2)))


def again(ended: EndedMark) -> EndedMark:
    """As it comes back from a form."""
    return EndedMark(replace(ended.mark, kind=MarkKind(str(ended.mark.kind))), ended.expires)


def test_nobodys_copy_accuses_no_domains_mail(domain: Domain) -> None:
    """Who imitates a newsletter from the same provider gets his own copies held, and no others."""
    domain.mark(copy(1))
    assert because(domain.look(copy(2)))
    assert because(domain.look(copy(2), WrittenDNS(SPF))) == ""
    domain.mark(copy(1, head=PASSED.replace("mx.example.com", "elsewhere.example")))
    assert because(domain.look(copy(2), WrittenDNS(SPF))) == ""
    domain.mark(copy(1, head=PASSED))
    assert because(domain.look(copy(2), WrittenDNS(SPF)))
    other = {"other.example TXT": SPF["example.net TXT"]}
    assert because(domain.look(copy(2), WrittenDNS(other), sender="a@other.example")) == ""


def test_without_the_dns_only_the_same_content_is_known(domain: Domain) -> None:
    domain.mark(copy(1))
    dead = WrittenDNS(dead=True)
    assert domain.look(copy(2), dead).status is Status.UNAVAILABLE
    assert because(domain.look(copy(1), dead))
    assert domain.look(copy(2, [TERMS]), dead).status is Status.CLEAR


def test_of_one_client_so_many_are_compared(domain: Domain) -> None:
    """Those that end last; what is over counts no more."""
    for number in range(MOST_ALIKE + 3):
        words = [chr(ord("a") + number) * (at + 3) for at in range(60)]
        domain.mark(copy(number, [" ".join(words)]), expires=SOON + timedelta(minutes=number))
    kept = read_sketches(domain.state._kept[sketches_key(STRANGER_IP)][0])
    assert len(kept) == MOST_ALIKE
    assert min(one.until for one in kept) == (SOON + timedelta(minutes=3)).timestamp()


def test_the_state_is_filled_again_with_every_clients(domain: Domain) -> None:
    domain.mark(copy())
    before = domain.state._kept.pop(sketches_key(STRANGER_IP))[0]
    asyncio.run(publish_all(domain.state, domain.store.marks))
    assert domain.state._kept[sketches_key(STRANGER_IP)][0] == before
