"""The sender's challenge through Postfix: asked by mail or in the reply, answered, delivered once, not asked again."""

from __future__ import annotations

import email
import re
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tamis.base.tokens import Purpose, Tokens
from tamis.chain.registry import load_filters
from tamis.challenge.answers import terms_of
from tamis.challenge.challenge_records import (
    AnswerProof,
    Challenge,
    PageState,
    Receipt,
    SenderPage,
    SolveResult,
)
from tamis.desk.release import delivery_by_answer
from tamis.installation.signing_key import signing_key
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.quarantine.records import Summary
from tamis.settings import read_settings
from tests.real import Client, PrivateDNS, wait_until
from tests.real.support import free_port, private_directory
from tests.road.faulty import BACKGROUND_STAGES
from tests.road.installation import POLICY, Installation, ham, spam

pytestmark = pytest.mark.real

FRIEND = Client("192.0.2.7")  # may send for example.net
FORGER = Client("192.0.2.9")  # may not
NOBODY = Client("203.0.113.7")  # sends for example.edu, about which nothing is said
ALICE, BOB, CAROL, QUARANTINE = (
    "alice@example.com",
    "bob@example.com",
    "carol@example.org",
    "quarantine@example.org",
)
ZONES = {
    "com": "",
    "example.net": '@ MX 10 mail\n@ TXT "v=spf1 ip4:192.0.2.7 -all"\nmail A 192.0.2.7\n'
    'soft MX 10 mail\nsoft TXT "v=spf1 ip4:192.0.2.7 ~all"\n',
    "example.edu": "@ MX 10 mail\nmail A 203.0.113.7\n",
    "example.fr": '@ MX 10 mail\n@ TXT "v=spf1 ip4:192.0.2.7 -all"\nmail A 192.0.2.7\n',
    "2.0.192.in-addr.arpa": "7 PTR mail.example.net.\n9 PTR forger.example.net.\n",
    "113.0.203.in-addr.arpa": "7 PTR mail.example.edu.\n",
}
NO_LISTS: Mapping[str, list[str]] = {"dnsbl": [], "rhsbl": [], "uribl": []}


@pytest.fixture(scope="module")
def nameserver() -> Iterator[PrivateDNS]:
    with PrivateDNS(ZONES) as running:
        yield running


def settings_with(nameserver: PrivateDNS, **more: Any) -> dict[str, Any]:
    """Settings under which notices go at once, with SPF to look at."""
    return {
        "dns": {"servers": [nameserver.address]},
        "platform": {"domains": ["example.com", "example.org"], **NO_LISTS},
        "notices": {"wait": 0.0},
        "web": {"url": "https://mail.example.com"},
        **more,
    }


def policy_with(**terms: Any) -> dict[str, Any]:
    """POLICY with other terms for everybody."""
    return {**POLICY, **terms}


@pytest.fixture(scope="module")
def asking(nameserver: PrivateDNS) -> Iterator[Installation]:
    """An installation that asks by mail."""
    settings = settings_with(nameserver, metrics={"listen": f"127.0.0.1:{free_port()}"})
    with Installation(policy=policy_with(), settings=settings) as running:
        yield running


def site_of(installation: Installation) -> Site:
    """Settings and policy as the web process has them."""
    return Site.build(read_settings(installation.daemon.config), load_filters(), Snapshot())


def look(installation: Installation, challenge: str) -> SenderPage:
    """The sender's page."""
    with installation.store() as store:
        page = store.answers.open(challenge, terms_of(site_of(installation)))
        assert page is not None
        return page


def answer(installation: Installation, challenge: str, proof: AnswerProof = AnswerProof.CODE) -> Receipt:
    """The sender's right answer."""
    site = site_of(installation)
    with installation.store() as store:
        deliver = delivery_by_answer(site.settings, proof)
        return store.answers.solve(challenge, terms_of(site), deliver, proof)


def named_by(installation: Installation, link: str) -> str:
    """The challenge that a link is for."""
    url, _, token = link.rpartition("/c/")
    assert url == "https://mail.example.com"
    key = signing_key(Path(installation.daemon.settings["state_directory"]) / "signing.key")
    (challenge,) = Tokens(key).read(Purpose.CHALLENGE, token)
    return challenge


def notices(installation: Installation, to: str) -> list[EmailMessage]:
    """The notices that lie in a sender's mailbox."""
    found = []
    for octets in installation.postfix.outside():
        mail = email.message_from_bytes(octets, policy=default)
        assert isinstance(mail, EmailMessage)
        if mail["X-Original-To"] == to and mail["Auto-Submitted"] == "auto-replied":
            found.append(mail)
    return found


def delivered(installation: Installation, recipient: str, number: int) -> list[email.message.Message]:
    """Copies of a message in a mailbox."""
    return [
        email.message_from_bytes(octets)
        for octets in installation.postfix.maildir(recipient)
        if b"<%d@example.net>" % number in octets
    ]


def arrived(installation: Installation, recipient: str, number: int) -> bool:
    """Whether a message is in a mailbox."""
    return bool(delivered(installation, recipient, number))


def challenges(installation: Installation, sender: str | None = None) -> tuple[Challenge, ...]:
    """What was decided."""
    with installation.store() as store:
        return store.challenges.list(sender=sender, limit=1000)


def held(installation: Installation, **about: str) -> list[Summary]:
    """What is in quarantine of a sender, or with a Message-ID."""
    with installation.store() as store:
        found = store.quarantine.list(limit=1000)
    return [one for one in found if all(getattr(one, name) == value for name, value in about.items())]


def settled(installation: Installation) -> Mapping[str, str]:
    """Wait until everything held was decided about and every notice is away: the reason by sender."""
    installation.postfix.wait_idle()

    def done() -> bool:
        with installation.store() as store:
            later = datetime.now(UTC) + timedelta(days=1)
            return not (store.challenges.undecided(held_before=later) or store.challenges.pending())

    wait_until(done, timeout=30, what="the notices", detail=installation.daemon.failure_report)
    installation.postfix.wait_idle()
    return {one.sender: one.reason for one in challenges(installation)}


def metrics(listen: str) -> str:
    """What Prometheus would get."""
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=60) as answer_:
        return str(answer_.read().decode())


def joined(installation: Installation, challenge: str, number: int) -> bool:
    """Whether a challenge stands for so many held copies."""
    with installation.store() as store:
        return len(store.challenges.messages(challenge)) == number


def wait_noticed(installation: Installation, sender: str, number: int = 1) -> None:
    """Wait until so many notices lie in a sender's mailbox."""
    wait_until(
        lambda: len(notices(installation, sender)) >= number,
        timeout=30,
        what=f"{number} notices to {sender}",
        detail=installation.daemon.failure_report,
    )


def wait_sprung(installation: Installation, traps: Path, stage: str) -> None:
    """Wait until a process died at a stage."""
    wait_until(
        lambda: not list(traps.glob(f"{stage}.*")),
        timeout=60,
        what=f"the trap {stage}",
        detail=installation.daemon.failure_report,
    )


def test_asked_by_mail_and_answered(asking: Installation) -> None:
    """Q1, Q2: the notice is in the sender's mailbox, threaded under the sender's own message; the answer delivers to
    all recipients of its domain, once, and the next message passes with the reason in its header."""
    sender = "jean@example.fr"
    asking.postfix.send(spam(1), to=[ALICE, BOB, QUARANTINE], sender=sender, client=FRIEND)
    asking.postfix.wait_idle()
    wait_noticed(asking, sender, 2)
    ours = {str(mail["From"].addresses[0].domain): mail for mail in notices(asking, sender)}
    mail = ours["example.com"]
    assert mail["Return-Path"] == "<>"
    assert mail["From"].addresses[0].addr_spec == "postmaster@example.com"
    assert mail["To"] == sender
    assert mail["Subject"] == "Re: Привет"
    assert mail["In-Reply-To"] == mail["References"] == "<1@example.net>"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Content-Language"] == "fr, en"
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert text.startswith("(English below)\n\nVotre message à ")
    assert "купи" not in text, "nothing of the content"
    (link,) = set(re.findall(r"https://\S+/c/\S+", text))
    challenge = named_by(asking, link)
    wait_until(
        partial(joined, asking, challenge, 2),  # the second copy may be decided a turn later
        timeout=30,
        what="both copies to be asked about",
        detail=asking.daemon.failure_report,
    )
    page = look(asking, challenge)
    assert page.state is PageState.OPEN
    assert set(page.recipients) == {ALICE, BOB}
    assert page.decided_by == "cyrillic"

    receipt = answer(asking, challenge)
    assert receipt.result is SolveResult.DELIVERED
    assert {*receipt.delivered, *receipt.waiting} == {
        ALICE,
        BOB,
    }  # the background process may be at one of them
    assert receipt.whitelisted
    assert answer(asking, challenge).result is SolveResult.ALREADY
    for recipient in (ALICE, BOB):
        wait_until(partial(arrived, asking, recipient, 1), timeout=60, what="the released copy")
    asking.postfix.wait_idle()
    for recipient in (ALICE, BOB):
        (copy,) = delivered(asking, recipient, 1)
        assert copy["X-Spam-Status"] == f"No, released by its sender {sender}"
        assert copy["X-Spam-Flag"] is None
    wait_until(
        lambda: [one.recipient for one in held(asking, sender=sender)] == [QUARANTINE],
        timeout=60,
        what="the released copies to be noted",
    )

    def passes() -> bool:
        asking.postfix.send(spam(2), to=[ALICE], sender=sender, client=FRIEND)
        asking.postfix.wait_idle()
        return bool(delivered(asking, ALICE, 2))

    wait_until(passes, timeout=60, what="the sender to be known")
    header = delivered(asking, ALICE, 2)[0]["X-Spam-Whitelist"]
    assert header == f"Automatically Whitelisted ({sender}, weight 2)"
    shown = asking.tamis("challenges", "show", challenge, "--json")
    assert (shown["state"], shown["whitelisted"], shown["link"]) == ("delivered", True, "")
    wait_until(
        lambda: asking.tamis("model", "status", "--json")["ham"] == 1,
        timeout=30,
        what="S27 to learn it as ham",
    )


def test_nobody_is_asked_who_must_not_be(asking: Installation) -> None:
    """Q3: each of these is held and no mail goes, with the reason kept."""
    asking.postfix.send(spam(20), to=[ALICE], sender="", client=FRIEND)
    asking.postfix.send(spam(21), to=[ALICE], sender="forged@example.net", client=FORGER)
    asking.postfix.send(spam(22), to=[ALICE], sender="nobody@example.edu", client=NOBODY)
    asking.postfix.send(spam(23), to=[ALICE], sender="own@example.com", client=NOBODY)
    asking.postfix.send(
        b"List-Id: <sieves.example.net>\r\n" + spam(24), to=[ALICE], sender="list@example.net", client=FRIEND
    )
    asking.postfix.send(
        b"Auto-Submitted: auto-generated\r\n" + spam(25), to=[ALICE], sender="cron@example.net", client=FRIEND
    )
    asking.postfix.send(spam(26), to=[ALICE], sender="news-bounces@example.net", client=FRIEND)
    reasons = settled(asking)
    assert {sender: reasons[sender] for sender in reasons if sender != "jean@example.fr"} == {
        "": "null-sender",
        "forged@example.net": "spf",
        "nobody@example.edu": "unauthenticated",
        "own@example.com": "own-domain",
        "list@example.net": "list",
        "cron@example.net": "automatic",
        "news-bounces@example.net": "automatic",
    }
    outside = [mail for mail in asking.postfix.outside() if b"jean@example.fr" not in mail]
    assert outside == []
    told = asking.tamis("challenges", "count")
    assert "according to SPF, its sender is forged" in told
    listen = asking.daemon.settings["metrics"]["listen"]
    wait_until(
        lambda: 'tamis_challenges_total{reason="automatic",what="suppressed"} 2.0' in metrics(listen),
        timeout=60,
        what="the metrics",
    )
    assert 'tamis_challenges_total{reason="",what="solved"} 1.0' in metrics(listen)
    assert 'tamis_challenges_total{reason="",what="mailed"}' in metrics(listen)


def test_a_bounce_of_a_notice_and_an_answer_to_it_are_not_answered(asking: Installation) -> None:
    """Whatever comes back to a notice, by a null sender or not, asks nobody."""
    sender = "back@example.net"
    asking.postfix.send(spam(30), to=[ALICE], sender=sender, client=FRIEND)
    asking.postfix.wait_idle()
    wait_noticed(asking, sender)
    (notice,) = notices(asking, sender)
    back = b"In-Reply-To: " + str(notice["Message-ID"]).encode() + b"\r\n" + spam(31)
    asking.postfix.send(back, to=[BOB], sender=sender, client=FRIEND)
    asking.postfix.send(back.replace(b"31@", b"32@"), to=[BOB], sender="", client=FRIEND)
    settled(asking)
    assert len(notices(asking, sender)) == 1
    assert {one.reason for one in challenges(asking, sender)} == {"", "own-notice"}


def test_postfix_is_away_when_the_notice_is_due(nameserver: PrivateDNS) -> None:
    """The listener for re-injection is gone: the notice is tried again, and goes once."""
    with Installation(policy=policy_with(), settings=settings_with(nameserver)) as installation:
        installation.postfix.send(spam(40), to=[ALICE], sender="wait@example.net", client=FRIEND)
        installation.postfix.wait_idle()
        wait_noticed(installation, "wait@example.net")
        listener = f"127.0.0.1:{installation.daemon.reinjection_port}"
        installation.daemon.write_settings(
            desk={**installation.daemon.settings["desk"], "reinject": "127.0.0.1:9"}
        )
        installation.postfix.send(spam(41), to=[ALICE], sender="wait@example.net", client=FRIEND)
        wait_until(lambda: len(held(installation)) == 2, timeout=30, what="the second message to be held")
        installation.daemon.hup()
        installation.postfix.send(spam(42), to=[ALICE], sender="other@example.net", client=FRIEND, attempts=1)
        installation.daemon.write_settings(
            desk={**installation.daemon.settings["desk"], "reinject": listener}
        )
        installation.daemon.hup()
        settled(installation)
        wait_noticed(installation, "wait@example.net", 2)
        assert {one.state for one in challenges(installation, "wait@example.net")} == {"asked"}


def test_the_background_process_is_killed_while_it_asks(nameserver: PrivateDNS) -> None:
    """SIGKILL before and after each step of a notice: none goes twice, none is forgotten, and every link works."""
    traps = private_directory("traps")
    daemon = {"module": "tests.road.faulty", "environment": {"TAMIS_TRAPS": str(traps)}}
    budget = {"wait": 0.0, "per_sender_domain_day": 1000}
    settings = settings_with(nameserver, notices=budget)
    with Installation(policy=policy_with(), settings=settings, daemon=daemon) as installation:
        senders = {}
        for number, stage in enumerate(BACKGROUND_STAGES):
            sender = senders[stage] = f"{stage}@example.net"
            (traps / f"{stage}.0").touch()
            installation.postfix.send(spam(50 + number), to=[ALICE], sender=sender, client=FRIEND)
            installation.postfix.wait_idle()
            if stage.startswith("solve"):
                wait_noticed(installation, sender)
                answer(installation, challenges(installation, sender)[0].id)
            wait_sprung(installation, traps, stage)
            if stage != "claimed":
                wait_noticed(installation, sender)
            settled(installation)
        states = {one.sender: one.state for one in challenges(installation)}
        counts = {stage: len(notices(installation, sender)) for stage, sender in senders.items()}
        assert counts["claimed"] == 0, "the crash cost this one"
        assert {stage: n for stage, n in counts.items() if stage != "claimed"} == {
            stage: 1 for stage in senders if stage != "claimed"
        }
        assert states[senders["claimed"]] == states[senders["mailed"]] == "sending"
        for stage, sender in senders.items():
            if not stage.startswith("solve"):
                (one,) = challenges(installation, sender)
                assert answer(installation, one.id).delivered == (ALICE,), stage
        installation.postfix.wait_idle()
        for number, stage in enumerate(senders):
            assert len(delivered(installation, ALICE, 50 + number)) == 1, stage


# --- by SMTP reply ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replying(nameserver: PrivateDNS) -> Iterator[Installation]:
    """An installation that asks in the reply."""
    policy = policy_with(challenge="reply")
    policy["mailboxes"] = {**POLICY["mailboxes"], BOB: {"challenge": "mail"}}
    with Installation(policy=policy, settings=settings_with(nameserver)) as running:
        yield running


def test_asked_in_the_reply_and_answered(replying: Installation) -> None:
    """550 with the link in both languages; nothing in Postfix's queue, no mail to anybody; a second try of the sender's
    server gets the same link; the answer delivers once, and the next message passes."""
    sender = "jean@example.net"
    first = replying.postfix.send(spam(100), to=[ALICE], sender=sender, client=FRIEND)
    assert first.reply.code == 550
    assert "Your message is on hold: our spam filter is not sure about it." in first.reply.text
    assert "Votre message est en attente : notre filtre anti-spam hesite." in first.reply.text
    assert replying.postfix.mailq() == []
    links = set(re.findall(r"https://\S+", first.reply.text))
    again = replying.postfix.send(spam(100), to=[ALICE], sender=sender, client=FRIEND)
    assert again.reply.code == 550
    challenge = {
        named_by(replying, link) for link in links | set(re.findall(r"https://\S+", again.reply.text))
    }
    assert len(challenge) == 1
    (kept,) = held(replying)
    assert (kept.recipient, kept.sender, kept.client_ip) == (ALICE, sender, "192.0.2.7")
    raw = replying.tamis("quarantine", "show", "--raw", kept.id)
    assert raw.startswith("Received: from ")
    assert "[192.0.2.7]" in raw.split("\n\n")[0]

    receipt = answer(replying, challenge.pop())
    assert (receipt.delivered, receipt.whitelisted) == ((ALICE,), True)
    replying.postfix.wait_idle()
    assert len(delivered(replying, ALICE, 100)) == 1
    assert notices(replying, sender) == []

    def passes() -> bool:
        sent = replying.postfix.send(spam(101), to=[ALICE], sender=sender, client=FRIEND)
        replying.postfix.wait_idle()
        return sent.accepted and bool(delivered(replying, ALICE, 101))

    wait_until(passes, timeout=60, what="the sender to be known")
    header = delivered(replying, ALICE, 101)[0]["X-Spam-Whitelist"]
    assert header == f"Automatically Whitelisted ({sender}, weight 2)"


def test_sent_anew_after_it_was_deleted(replying: Installation) -> None:
    """The reply's link leads to the copy that is held now, and its answer delivers."""
    sender = "again@example.net"
    assert replying.postfix.send(spam(105), to=[ALICE], sender=sender, client=FRIEND).reply.code == 550
    (first,) = held(replying, sender=sender)
    replying.tamis("quarantine", "delete", first.id)
    again = replying.postfix.send(spam(105), to=[ALICE], sender=sender, client=FRIEND)
    assert again.reply.code == 550
    (kept,) = held(replying, sender=sender)
    assert kept.id != first.id
    (link,) = set(re.findall(r"https://\S+", again.reply.text))
    challenge = named_by(replying, link)
    assert look(replying, challenge).state is PageState.OPEN
    assert answer(replying, challenge).delivered == (ALICE,)
    replying.postfix.wait_idle()
    assert len(delivered(replying, ALICE, 105)) == 1


def test_who_is_not_authenticated_is_asked_in_the_reply_but_earns_nothing(replying: Installation) -> None:
    sent = replying.postfix.send(spam(110), to=[ALICE], sender="nobody@example.edu", client=NOBODY)
    assert sent.reply.code == 550
    (link,) = set(re.findall(r"https://\S+", sent.reply.text))
    challenge = named_by(replying, link)
    assert not look(replying, challenge).whitelists
    receipt = answer(replying, challenge)
    assert (receipt.delivered, receipt.whitelisted) == ((ALICE,), False)


@pytest.mark.parametrize(
    ("number", "message", "sender", "client", "to"),
    [
        (120, b"", "", FRIEND, [ALICE]),
        (121, b"", "forged@example.net", FORGER, [ALICE]),
        (122, b"List-Id: <x.example.net>\r\n", "list@example.net", FRIEND, [ALICE]),
        (123, b"", "two@example.net", FRIEND, [ALICE, BOB]),  # one policy wants a mail
        (124, b"", "domains@example.net", FRIEND, [ALICE, CAROL]),  # two domains have two challenges
        (125, b"", "inbox@example.net", FRIEND, [ALICE, "inbox@example.com"]),  # one copy is not held
    ],
)
def test_others_take_the_ordinary_road(
    replying: Installation, number: int, message: bytes, sender: str, client: Client, to: list[str]
) -> None:
    sent = replying.postfix.send(message + spam(number), to=to, sender=sender, client=client)
    assert sent.accepted
    settled(replying)
    kept = held(replying, message_id=f"{number}@example.net")
    assert {one.recipient for one in kept} == set(to) - {"inbox@example.com"}
    asked = [one for one in challenges(replying) if one.sender == sender]
    assert asked
    assert {one.transport for one in asked} <= {"mail", ""}


def test_good_mail_is_none_of_its_business(replying: Installation) -> None:
    assert replying.postfix.send(ham(130), to=[ALICE], client=FRIEND).accepted
    replying.postfix.wait_idle()
    assert len(delivered(replying, ALICE, 130)) == 1


def test_worker_and_desk_are_killed_between_holding_and_replying(nameserver: PrivateDNS) -> None:
    """The sender's server tries again, gets the link, and one copy is held: nothing lost, nothing twice."""
    traps = private_directory("traps")
    daemon = {"module": "tests.road.faulty", "environment": {"TAMIS_TRAPS": str(traps)}}
    settings = settings_with(nameserver)
    with Installation(
        policy=policy_with(challenge="reply"), settings=settings, daemon=daemon
    ) as installation:
        for number, stage in enumerate(("replied", "before-replied", "held-asked", "before-held-asked")):
            (traps / f"{stage}.0").touch()
            sender = f"{stage}@example.net"
            sent = installation.postfix.send(
                spam(140 + number), to=[ALICE, BOB], sender=sender, client=FRIEND, attempts=40
            )
            wait_sprung(installation, traps, stage)
            if (
                sent.accepted
            ):  # the desk was away: the recipients were redirected, and the sender is asked by mail
                wait_noticed(installation, sender)
                assert len(notices(installation, sender)) == 1
            else:
                assert sent.reply.code == 550
                assert notices(installation, sender) == []
            kept = [one.recipient for one in held(installation, sender=sender)]
            assert sorted(kept) == [ALICE, BOB], stage
            (one,) = challenges(installation, sender)
            wait_until(
                partial(joined, installation, one.id, 2),  # the second copy may be decided a turn later
                timeout=30,
                what="both copies to be asked about",
                detail=installation.daemon.failure_report,
            )
            receipt = answer(installation, one.id)
            # the background process may be about to deliver one of them at this moment
            assert {*receipt.delivered, *receipt.waiting} == {ALICE, BOB}
        installation.postfix.wait_idle()
        for number in range(4):
            for who in (ALICE, BOB):
                assert len(delivered(installation, who, 140 + number)) == 1


PROGRAM = (
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    b"From: Jean <jean@soft.example.net>\r\nTo: alice@example.com\r\nSubject: Facture\r\n"
    b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <%d@example.net>\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nVoici.\r\n--b\r\nContent-Type: application/octet-stream\r\n"
    b'Content-Disposition: attachment; filename="facture.pdf.exe"\r\n\r\nMZ\r\n--b--\r\n'
)


def script_and_forger(asking: Installation) -> None:
    """What the script does, then what comes after it."""
    sender, to = "robot@soft.example.net", [ALICE]
    asking.postfix.send(spam(60), to=to, sender=sender, client=FRIEND)
    settled(asking)
    (challenge,) = challenges(asking, sender)
    receipt = answer(asking, challenge.id, AnswerProof.WORK)
    assert (receipt.delivered, receipt.whitelisted, receipt.keeps) == ((ALICE,), False, True)
    asking.postfix.wait_idle()
    assert delivered(asking, ALICE, 60)

    def published(works: int, validations: int) -> None:
        def done() -> bool:
            with asking.store() as store:
                earned = [(one.works, one.validations) for one in store.senders.find(address=sender)]
                return earned == [(works, validations)] and not store.answers.solved()

        wait_until(done, timeout=30, what="what it earned", detail=asking.daemon.failure_report)

    published(1, 0)
    asking.postfix.send(spam(61), to=to, sender=sender, client=FRIEND)
    asking.postfix.wait_idle()
    assert not delivered(asking, ALICE, 61), "a proof of work opened nothing"
    assert answer(asking, challenge.id, AnswerProof.CODE).whitelisted
    published(1, 1)
    asking.postfix.send(spam(62), to=to, sender=sender, client=FRIEND)
    asking.postfix.send(spam(63), to=to, sender=sender, client=FORGER)
    asking.postfix.send(PROGRAM % 64, to=to, sender=sender, client=FRIEND)
    asking.postfix.wait_idle()
    assert [bool(delivered(asking, ALICE, number)) for number in (62, 63, 64)] == [True, False, False]
    settled(asking)
    reasons = {one.message_id: one.decided_by for one in held(asking, sender=sender)}
    assert reasons["64@example.net"] == "attachment_types"
    told = {one.reason for one in challenges(asking, sender)}
    assert "attachment" in told, "and its sender was not asked"


def test_a_script_that_answers_gets_that_message_through_and_nothing_else(
    nameserver: PrivateDNS,
) -> None:
    """Faults that were seen: one proof of work by a program opened a domain to everything from that address, also to
    who forged it (`~all`). Now the next message is held again; after a code the real sender's pass, and no programs."""
    with Installation(policy=policy_with(), settings=settings_with(nameserver)) as asking:
        script_and_forger(asking)
