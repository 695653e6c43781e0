"""Several kinds of listener at once, as grown installations have them: each message accounted for, each verdict as
documented; and a listener that bypasses the milter is noticed while it runs."""

from __future__ import annotations

import smtplib
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from tamis.handover.listener_counts import SUSPICIOUS
from tests.real import Client, Envelope, PrivateDovecot, PrivatePostfix, Session, free_port, wait_until
from tests.real.dovecot import PASSWORD, inet_listener
from tests.real.support import find_program
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

STRANGER = Client("192.0.2.7")
ALICE = "alice@example.com"


def test_a_listener_whose_mail_goes_past_the_milter_is_noticed() -> None:
    """smtpd_proxy_filter: Postfix tells a milter of DATA and shows it nothing."""
    with Installation(settings={"milter": {"workers": 1}}) as running:

        def unseen() -> list[str]:
            report = running.tamis("doctor", "--json", status={0, 69})
            return [one["check"] for one in report if one["check"].startswith("messages at listener")]

        assert running.postfix.send(ham(0), to=[ALICE], client=STRANGER).accepted
        running.postfix.postconf(smtpd_proxy_filter=f"127.0.0.1:{running.postfix.reinjection_port}")
        running.postfix.reload()
        for number in range(SUSPICIOUS):
            assert running.postfix.send(spam(number), to=[ALICE], client=STRANGER).accepted
        wait_until(lambda: unseen() != [], timeout=30, what="doctor to name the listener")
        assert unseen() == [f"messages at listener {running.postfix.port}"]
        assert "Postfix does not show them to Tamis" in running.daemon.log()
        running.postfix.postconf(smtpd_proxy_filter=None)
        running.postfix.reload()
        assert running.postfix.send(ham(1), to=[ALICE], client=STRANGER).accepted
        wait_until(lambda: unseen() == [], timeout=30, what="doctor to find nothing")


HELD, TAGGED = "quarantine@example.org", "tag@example.com"
MASTER = """\
127.0.0.1:{screened} inet n - n - 1 postscreen
smtpd      pass  -  -  n  -  -  smtpd
dnsblog    unix  -  -  n  -  0  dnsblog
tlsproxy   unix  -  -  n  -  0  tlsproxy
127.0.0.1:{submission} inet n - n - - smtpd
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_sasl_type=dovecot
    -o smtpd_sasl_path=inet:127.0.0.1:{auth}
    -o smtpd_tls_auth_only=no
    -o smtpd_client_restrictions=permit_sasl_authenticated,reject
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
    -o smtpd_recipient_restrictions=
    -o smtpd_discard_ehlo_keywords=
127.0.0.1:{filtered} inet n - n - - smtpd
    -o content_filter=scan:[127.0.0.1]:{back}
    -o receive_override_options=no_address_mappings
scan       unix  -  -  n  -  10 smtp
127.0.0.1:{back} inet n - n - - smtpd
    -o content_filter=
    -o smtpd_milters=
    -o mynetworks=127.0.0.0/8
    -o smtpd_recipient_restrictions=permit_mynetworks,reject
    -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters
"""


class Grown:
    """An installation with all kinds of listener; each has a name."""

    def __init__(self, auth_port: int) -> None:
        names = ("screened", "submission", "filtered", "back")
        self.ports = {name: free_port() for name in names}
        self.installation = Installation(
            main={
                "postscreen_greet_wait": "1s",
                "postscreen_cache_map": "",
                "postscreen_access_list": "permit_mynetworks",
                "non_smtpd_milters": "$smtpd_milters",
            },
            master=MASTER.format(**self.ports, auth=auth_port),
        )
        self.ports["plain"] = self.installation.postfix.port

    def smtp(self, listener: str, raw: bytes, to: Sequence[str]) -> None:
        """From a stranger, as through any public port."""
        with Session(self.ports[listener]) as session:
            replies = session.transact(Envelope("sender@example.net", tuple(to), raw, client=STRANGER))
        assert all(one.accepted for one in replies.values()), (listener, replies)

    def submit(self, raw: bytes, to: Sequence[str]) -> None:
        """From one of our users, with a password."""
        with smtplib.SMTP("127.0.0.1", self.ports["submission"], timeout=60) as client:
            client.login(ALICE, PASSWORD)
            assert client.sendmail(ALICE, list(to), raw) == {}

    def sendmail(self, raw: bytes, to: Sequence[str]) -> None:
        """From a program of this machine."""
        program = find_program("sendmail")
        config = self.installation.postfix.config_directory
        subprocess.run([program, "-C", config, "-i", "-f", "root@example.com", *to], input=raw, check=True)

    def copies(self, who: str, number: int) -> list[bytes]:
        """What of a message is in a mailbox."""
        return [
            one for one in self.installation.postfix.maildir(who) if f"<{number}@example.net>".encode() in one
        ]

    def outcome(self, number: int) -> str:
        """What became of a message to HELD and TAGGED: every copy accounted for, once."""
        held = [
            one
            for one in self.installation.held()
            if one["message_id"].strip("<>") == f"{number}@example.net"
        ]
        assert [one["recipient"] for one in held] in ([], [HELD])
        kept, tagged = self.copies(HELD, number), self.copies(TAGGED, number)
        assert len(held) + len(kept) == 1
        assert len(tagged) == 1
        subject = tagged[0].partition(b"\n\n")[0].count(b"SPAM: ")
        assert subject == len(held)
        return "spam" if held else "ham"


@pytest.fixture(scope="module")
def grown() -> Iterator[Grown]:
    port = free_port()
    lines = f"service auth {{\n{inet_listener('sasl', '127.0.0.1', port)}}}\n"
    with PrivateDovecot(lines=lines):
        running = Grown(port)
        with running.installation:
            yield running


def test_every_listener_at_once(grown: Grown) -> None:
    """Strangers are judged wherever they come in, our own are not; nothing is lost, doubled or judged twice."""
    to = [HELD, TAGGED]
    expected: dict[int, str] = {}
    for number, listener in enumerate(("screened", "plain", "filtered"), 1):
        grown.smtp(listener, spam(number), to)
        grown.smtp(listener, ham(number + 10), to)
        expected |= {number: "spam", number + 10: "ham"}
    grown.submit(spam(21), to)
    grown.submit(ham(22), to)
    grown.sendmail(ham(31), to)
    expected |= {21: "ham", 22: "ham", 31: "ham"}
    grown.installation.postfix.wait_idle()
    wait_until(lambda: len(grown.installation.held()) == 3, timeout=30, what="three messages to be held")
    assert {number: grown.outcome(number) for number in expected} == expected
    assert grown.installation.postfix.bounces() == []
    for one in grown.installation.held():
        grown.installation.tamis("quarantine", "release", one["id"])
    grown.installation.postfix.wait_idle()
    assert [len(grown.copies(HELD, number)) for number in (1, 2, 3)] == [1, 1, 1]
    report = {one["check"]: one for one in grown.installation.tamis("doctor", "--json", status={0, 69})}
    health = {
        name: report[f"127.0.0.1:{port}/inet"]["health"]
        for name, port in grown.ports.items()
        if name != "screened"
    }
    assert health == {"submission": "ok", "filtered": "ok", "back": "warning", "plain": "ok"}
    assert report["smtpd/pass"]["health"] == "ok"


def test_a_second_instance_of_the_same_name_gets_no_held_copy_lost(grown: Grown) -> None:
    """As postmulti(1) sets it up (which itself works in /etc/postfix alone): without the transport line a held copy
    would bounce to its sender."""
    first = grown.installation.postfix
    settings = {"multi_instance_name": "postfix-2", "multi_instance_enable": "yes", "transport_maps": ""}
    with PrivatePostfix(milter=grown.installation.daemon.milter, main=settings) as second:
        first.postconf(multi_instance_directories=str(second.config_directory), multi_instance_enable="yes")
        first.reload()
        try:
            grown.smtp("plain", spam(41), [HELD])
            reply = second.send(spam(42), to=[HELD], client=STRANGER).reply
            assert (reply.code, "another instance" in reply.text) == (451, True)
            assert second.send(ham(43), to=[ALICE], client=STRANGER).accepted
            wait_until(lambda: bool(second.maildir(ALICE)), timeout=30, what="what needs no desk to arrive")
            assert second.outside() == []
            report = {
                one["check"]: one for one in grown.installation.tamis("doctor", "--json", status={0, 69})
            }
            where = f"{second.config_directory}: transport of .tamis.invalid"
            assert report[where]["health"] == "error"
        finally:
            first.postconf(multi_instance_directories=None, multi_instance_enable=None)
            first.reload()
