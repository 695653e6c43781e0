"""`benchmarks/attacks`: strangers make others look bad, or use up what is meant for all; whom does it hit?

Through Postfix, with a daemon as it is installed and a DNS server of our own. After each attack innocent mail comes
from the very servers, networks and senders that were used, and is counted: deferred, held. Docs: trust.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from benchmarks.attacks_on_pages import Outcome, mass_answers, mass_guesses, sign_in_flood
from tamis.models.ledger import LEDGER, Ledger
from tamis.models.reports import Spool
from tamis.settings import Settings
from tests.real import Client, Envelope, PrivateDNS, wait_until
from tests.road.installation import Installation, ham

ALICE, BOB, TRAP = "alice@example.com", "bob@example.com", "dave@example.com"
SHOPS = 40
WORLD = "world.lists.example.org"
ZONES = {
    "com": "",
    "net": "",
    "113.0.203.in-addr.arpa": "7 PTR mail.provider.example.\n",
    "example": "mail.provider A 203.0.113.7\n"
    + "".join(
        f'shop{n} TXT "v=spf1 ip4:203.0.113.0/24 -all"\nforged{n} TXT "nothing"\n' for n in range(SHOPS)
    ),
    "100.51.198.in-addr.arpa": "",
    "8.b.d.0.1.0.0.2.ip6.arpa": "",
    "example.net": '@ TXT "nothing"\n',
    WORLD: "* 1 A 127.0.0.2\n*.0.0.127 1 A 127.0.0.2\n2.0.0.127 1 A 127.0.0.2\n",
}
OFF = {"state": "off"}
FILTERS = {
    **dict.fromkeys(("reverse_dns", "helo", "sender_mx", "uribl"), OFF),
    "message_checksum": {"state": "on", "recipients": 20},
}
MAILBOXES = [ALICE, BOB, TRAP, *(f"user{n}@example.com" for n in range(30))]
PROVIDER = Client("203.0.113.7", name="mail.provider.example")
REPORTS = 40
WORKERS = 2
"""Of the installation; each tests the lists."""


class Attacks:
    """One installation, and what is tried on it."""

    def __init__(self, running: Installation, trap_mails: int) -> None:
        self._running = running
        self._trap_mails = trap_mails
        self._number = 0
        self.refusals: Counter[str] = Counter()

    def run(self) -> Iterator[Outcome]:
        """All of them, one after the other."""
        for attack in (
            self.bounces,
            self.answers,
            self.forms,
            self.relayed,
            self.copies,
            self.reports,
            self.dead_list,
            self.spammer,
            self.flood,
        ):
            yield attack()

    def bounces(self) -> Outcome:
        """Mail in a honeypot's name to addresses that don't exist: their servers bounce to it."""
        servers = [Client(f"203.0.113.{n}") for n in range(10, 20)]
        attack = [self._mail("", TRAP, one) for one in servers for _ in range(5)]
        return self._outcome("bounces to a honeypot", attack, self._letters(servers))

    def answers(self) -> Outcome:
        """The same to people with automatic answers."""
        servers = [Client(f"203.0.113.{n}") for n in range(20, 30)]
        field = b"Auto-Submitted: auto-replied\r\n"
        attack = [self._mail(f"p@forged{n}.example", TRAP, one, field) for one in servers for n in range(5)]
        return self._outcome("automatic answers to a honeypot", attack, self._letters(servers))

    def forms(self) -> Outcome:
        """A honeypot and Alice are typed into the forms of many shops, which share a provider (list bombing)."""
        attack = [
            self._mail(f"news@shop{n}.example", to, PROVIDER) for n in range(SHOPS) for to in (TRAP, ALICE)
        ]
        own = [self._mail(f"orders@shop{n}.example", BOB, PROVIDER) for n in range(SHOPS)]
        return self._outcome("sign-up forms of shops at one provider", attack, own)

    def relayed(self) -> Outcome:
        """Forged senders through a provider's server that forwards."""
        attack = [self._mail(f"x@forged{n}.example", TRAP, PROVIDER) for n in range(20)]
        own = [self._mail(f"friend{n}@example.net", BOB, PROVIDER) for n in range(20)]
        return self._outcome("forged senders through a provider", attack, own)

    def copies(self) -> Outcome:
        """Copies of a newsletter to many, so that the newsletter looks like bulk."""
        stranger = Client("198.51.100.9")
        text = ham(900_000)
        attack = [Envelope("x@forged1.example", (f"user{n}@example.com",), text, stranger) for n in range(30)]
        own = [Envelope("news@shop1.example", (to,), text, PROVIDER) for to in (ALICE, BOB)]
        return self._outcome("copies of a newsletter", attack, own)

    def reports(self) -> Outcome:
        """Abuse reports against a server (ARF, RFC 5965)."""
        box = self._running.directory / "reports"
        box.mkdir()
        for number in range(300):
            (box / f"{number}.eml").write_bytes(_report("203.0.113.50", number))
        self._running.tamis("complaints", "ingest", str(box))
        return self._outcome(
            "abuse reports against a server", [], self._letters([Client("203.0.113.50")]), sent=300
        )

    def dead_list(self) -> Outcome:
        """A DNS list died and lists the world."""
        wait_for_list_test(self._running)
        clients = [Client(f"198.51.100.{n}") for n in range(50, 60)]
        return self._outcome("a DNS list that lists the world", [], self._letters(clients))

    def spammer(self) -> Outcome:
        """For comparison, one who means it: forged senders from a client that nobody answers for."""
        spammer, neighbour = Client("198.51.100.66"), Client("198.51.100.67")
        attack = [self._mail(f"x@forged{n}.example", TRAP, spammer) for n in range(4)]
        attack += [self._mail(f"x@forged{n}.example", ALICE, spammer) for n in range(6)]
        return self._outcome("a spammer (should be refused)", attack, self._letters([neighbour]), sessions=1)

    def flood(self) -> Outcome:
        """Honeypot mails from thousands of networks, then readers' reports of the same day."""
        attack = [
            self._mail(
                f"x@forged{n % SHOPS}.example", TRAP, Client(f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::1")
            )
            for n in range(self._trap_mails)
        ]
        refused = self._send(attack)
        settings = Settings(state_directory=self._running.state_directory)
        spool = Spool(settings.spool_directory)
        for n in range(REPORTS):
            spool.put("spam", "dovecot", f"user{n % 30}@example.com", ham(800_000 + n))
        path = settings.model_directory / LEDGER

        def taken_in() -> bool:
            ledger = Ledger.load(path)
            return sum(one.get("dovecot", 0) for one in (ledger.learned, ledger.dropped)) >= REPORTS

        wait_until(taken_in, timeout=600, what="the reports to be taken in")
        lost = Ledger.load(path).dropped.get("dovecot", 0)
        found = self._outcome(
            "honeypot mails from as many /64s", [], self._letters([Client("2001:db8:ffff::1")])
        )
        innocent = found.innocent + REPORTS
        return Outcome(found.attack, len(attack), refused, innocent, found.deferred, found.held, lost)

    def _mail(self, sender: str, to: str, client: Client, fields: bytes = b"") -> Envelope:
        self._number += 1
        return Envelope(sender, (to,), fields + ham(self._number), client)

    def _letters(self, clients: Sequence[Client]) -> list[Envelope]:
        """Four honest messages from each client."""
        return [self._mail("friend@example.net", BOB, one) for one in clients for _ in range(4)]

    def _send(self, envelopes: Sequence[Envelope], sessions: int = 8) -> int:
        """Send messages; how many were deferred."""
        sent = self._running.postfix.send_many(envelopes, sessions=sessions, attempts=1)
        self._running.postfix.wait_idle(timeout=900)  # a flood is taken faster than it is stored
        refused = [str(one.reply) for one in sent if not one.accepted]
        self.refusals.update(re.sub(r"[0-9a-f:.]*[0-9][0-9a-f:.]*", "N", one) for one in refused)
        return len(refused)

    def _outcome(
        self,
        attack: str,
        attacking: Sequence[Envelope],
        innocent: Sequence[Envelope],
        *,
        sent: int = 0,
        sessions: int = 8,
    ) -> Outcome:
        refused = self._send(attacking, sessions)
        before = self._held()
        deferred = self._send(innocent)
        held = self._held() - before
        return Outcome(attack, sent or len(attacking), refused, len(innocent), deferred, held)

    def _held(self) -> int:
        return sum(one["recipient"] != TRAP for one in self._running.held())


def _report(client: str, number: int) -> bytes:
    return (
        f"From: abuse{number}@example.net\r\nSubject: report {number}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\n\r\nSpam.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nSource-IP: {client}\r\n\r\n--b--\r\n"
    ).encode()


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as people read them."""
    heads = ("attack", "sent", "refused", "innocent", "deferred", "held", "locked out", "let in")
    row = "{:<40}{:>6}{:>9}{:>10}{:>10}{:>6}{:>12}{:>8}"
    return "\n".join([row.format(*heads), *(row.format(*asdict(one).values()) for one in outcomes)])


@contextmanager
def attacked() -> Iterator[Installation]:
    """An installation with a honeypot, and a DNS list that lists the world."""
    with PrivateDNS(ZONES) as nameserver:
        settings = {
            "dns": {"servers": [nameserver.address], "list_test_every": 5},
            "platform": {
                "domains": ["example.com", "example.org"],
                "honeypots": [TRAP],
                "dnsbl": [WORLD],
                "rhsbl": [],
                "uribl": [],
            },
        }
        policy = {"outcome": "quarantine", "filters": FILTERS}
        with Installation(policy=policy, settings=settings, mailboxes=MAILBOXES) as running:
            wait_for_list_test(running)
            yield running


def wait_for_list_test(running: Installation) -> None:
    """Until both workers leave the list out."""
    wait_until(
        lambda: running.daemon.log().count(f"DNS list {WORLD} is left out") >= WORKERS,
        timeout=120,
        what="the daemon to leave the list out",
    )


def main(tell: Callable[[str], object] = print) -> int:
    """Try all attacks and print what came of them; 1 where somebody innocent was hit."""
    parser = argparse.ArgumentParser(prog="benchmarks/attacks", description=__doc__.splitlines()[0])
    parser.add_argument("--trap-mails", type=int, default=5000, help="mails of the flood [default: 5000]")
    parser.add_argument(
        "--answers", type=int, default=1000, help="of a machine to challenges [default: 1000]"
    )
    parser.add_argument("--only", choices=["mail", "pages"], help="attacks by mail alone, or on pages alone")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    arguments = parser.parse_args()
    outcomes: list[Outcome] = []
    if arguments.only != "pages":
        with attacked() as running:
            attacks = Attacks(running, arguments.trap_mails)
            outcomes += attacks.run()
        for reply, count in attacks.refusals.most_common():
            print(f"{count} were refused with {reply}", file=sys.stderr)
    if arguments.only != "mail":
        outcomes += [sign_in_flood(), mass_guesses(arguments.answers), mass_answers(arguments.answers)]
    tell(json.dumps([asdict(one) for one in outcomes], indent=2) if arguments.json else table(outcomes))
    return int(any(one.harmed for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
