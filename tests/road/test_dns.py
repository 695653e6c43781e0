"""The DNS filters through Postfix, with a real DNS server that has our zones."""

from __future__ import annotations

import asyncio
import email
import urllib.request
from collections.abc import Iterator

import pytest
from reportlab.lib.utils import ImageReader

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import Answer
from tamis.services.dns.resolver import Resolver
from tests.attachments import letter
from tests.documents import pdf, qr_code
from tests.real import Client, PrivateDNS, free_port, wait_until
from tests.road.installation import Installation, ham

pytestmark = pytest.mark.real

JUNK, QUARANTINE = "junk@example.org", "quarantine@example.org"
ZONES = {
    "com": "",
    "net": "",
    "2.0.192.in-addr.arpa": "7 PTR mail.example.net.\n8 PTR mail.example.net.\n9 PTR forger.example.net.\n",
    "example.net": (
        "@ MX 10 mail\n@ TXT \"v=spf1 ip4:192.0.2.7 ip4:192.0.2.8 -all\"\nmail A 192.0.2.7\nmail A 192.0.2.8\n"
        "forger A 198.51.100.1\nnull MX 0 .\nlong TXT " + " ".join(f'"{n:0250}"' for n in range(20)) + "\n"
        + "".join(f"many A 192.0.2.{n}\n" for n in range(1, 200))
    ),
    "a.lists.example.org": "8.2.0.192 A 127.0.0.2\nexample.com A 127.0.1.2\n",
    "b.lists.example.org": "8.2.0.192 A 127.0.0.4\n*.2.0.192 A 127.255.255.254\n",
    "c.lists.example.org": "",
}  # fmt: skip
LISTS = {
    "dnsbl": ["a.lists.example.org", "b.lists.example.org", "c.lists.example.org", "d.lists.example.org"],
    "rhsbl": [],
    "uribl": ["a.lists.example.org", "c.lists.example.org"],
}


@pytest.fixture(scope="module")
def nameserver() -> Iterator[PrivateDNS]:
    with PrivateDNS(ZONES) as running:
        yield running


@pytest.fixture(scope="module")
def served(nameserver: PrivateDNS) -> Iterator[Installation]:
    """An installation that asks this server."""
    settings = {
        "dns": {"servers": [nameserver.address]},
        "platform": {"domains": ["example.org"], **LISTS},
    }
    with Installation(settings=settings) as running:
        yield running


def held(installation: Installation, number: int) -> dict[str, str]:
    """The quarantine's entry of the message with this number."""
    (found,) = (h for h in installation.held() if h["message_id"].strip("<>") == f"{number}@example.net")
    return found


def delivered(installation: Installation, recipient: str, number: int) -> email.message.Message:
    """The delivered message with this number."""
    (found,) = (m for m in installation.postfix.maildir(recipient) if b"<%d@example.net>" % number in m)
    return email.message_from_bytes(found)


def test_a_listed_client_goes_to_quarantine_with_the_reason(served: Installation) -> None:
    """On two of the three lists that answer; the fourth refuses to. The header names the filter, the
    quarantine the lists."""
    sent = served.postfix.send(ham(1), to=[JUNK, QUARANTINE], client=Client("192.0.2.8"))
    assert sent.accepted
    served.postfix.wait_idle()
    kept = held(served, 1)
    assert kept["decided_by"] == "dnsbl"
    copy = delivered(served, JUNK, 1)
    assert copy["X-Spam-Flag"] == "YES"
    assert "tests=dnsbl=spam decided=dnsbl" in str(copy["X-Spam-Status"])
    shown = served.tamis("quarantine", "show", kept["id"])
    assert "192.0.2.8 is on 2 of 3 lists that answered: a.lists.example.org, b.lists.example.org" in shown


@pytest.mark.parametrize(
    ("number", "client", "sender", "decided_by"),
    [
        (10, "192.0.2.9", "sender@example.net", "spf"),
        (11, "192.0.2.10", "", "reverse_dns"),
        (12, "192.0.2.7", "sender@null.example.net", "sender_mx"),
        (13, "192.0.2.7", "sender@nothing.example.net", "sender_mx"),
    ],
)
def test_each_filter_decides(
    served: Installation, number: int, client: str, sender: str, decided_by: str
) -> None:
    served.postfix.send(ham(number), to=[QUARANTINE], sender=sender, client=Client(client))
    served.postfix.wait_idle()
    assert held(served, number)["decided_by"] == decided_by


def test_a_listed_link_decides(served: Installation) -> None:
    message = ham(20).replace(b"Shall we", b"See https://www.example.com/ - shall we")
    served.postfix.send(message, to=[QUARANTINE], client=Client("192.0.2.7"))
    served.postfix.wait_idle()
    assert held(served, 20)["decided_by"] == "uribl"


def test_a_client_that_does_everything_right_passes(served: Installation) -> None:
    served.postfix.send(ham(30), to=[JUNK], client=Client("192.0.2.7", helo="mail.example.net"))
    served.postfix.wait_idle()
    copy = delivered(served, JUNK, 30)
    assert str(copy["X-Spam-Status"]).startswith("No, score=0.0")
    assert copy["X-Spam-Unavailable"] is None


def test_a_stranger_with_our_name_gets_points(served: Installation) -> None:
    served.postfix.send(ham(31), to=[JUNK], client=Client("192.0.2.7", helo="example.org"))
    served.postfix.wait_idle()
    status = str(delivered(served, JUNK, 31)["X-Spam-Status"])
    assert status.startswith("No, score=5.0 required=7.5 tests=helo=5")


def test_a_dead_server_holds_nothing_against_anybody() -> None:
    with PrivateDNS(ZONES) as nameserver:
        settings = {
            "dns": {"servers": [nameserver.address], "deadline": 1.0},
            "platform": {"domains": ["example.org"], **LISTS},
        }
        with Installation(settings=settings) as installation:
            nameserver.stop()
            installation.postfix.send(ham(40), to=[JUNK], client=Client("192.0.2.8"))
            installation.postfix.wait_idle()
            copy = delivered(installation, JUNK, 40)
            assert str(copy["X-Spam-Status"]).startswith("No, score=0.0")
            unavailable = str(copy["X-Spam-Unavailable"])
            for name in ("spf", "reverse_dns", "sender_mx", "dnsbl", "uribl", "helo"):
                assert name in unavailable


def test_a_list_that_refuses_is_left_out(nameserver: PrivateDNS) -> None:
    """The third message finds it left out; doctor and the metrics name the list and what it said."""
    port, part = free_port(), "DNS list b.lists.example.org"
    settings = {
        "dns": {"servers": [nameserver.address]},
        "platform": {
            "domains": ["example.org"],
            **LISTS,
            "dnsbl": ["a.lists.example.org", "b.lists.example.org"],
        },
        "milter": {"workers": 1},
        "breakers": {"failures": 2, "pause": 600, "longest": 600},
        "metrics": {"listen": f"127.0.0.1:{port}"},
    }
    with Installation(settings=settings) as installation:
        for number in (50, 51, 52):
            installation.postfix.send(ham(number), to=[JUNK], client=Client("192.0.2.7"))
            installation.postfix.wait_idle()
        assert installation.daemon.log().count(f"{part} is left out for 600 s after 2 failures") == 1

        def found() -> list[str]:
            return [one["found"] for one in installation.tamis("doctor", "--json") if one["check"] == part]

        wait_until(lambda: any("left out" in one for one in found()), timeout=30, what="doctor to name it")
        assert any("does not serve this resolver (127.255.255.254)" in one for one in found())

        left_out = f'tamis_part_left_out{{part="{part}"}} 1.0'
        wait_until(lambda: left_out in metrics(port), timeout=60, what="the metric")
        assert f'tamis_part_failures_total{{part="{part}"}} 2.0' in metrics(port)


def metrics(port: int) -> list[str]:
    """What the exporter says now: each process tells it about once a second."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return lines


def test_a_list_that_lists_the_world_is_left_out_until_it_is_well() -> None:
    """It died, and its domain's new owner answers for every name. The daemon finds that out by itself."""
    world = {"w.lists.example.org": "* 1 A 127.0.0.2\n*.0.0.127 1 A 127.0.0.2\n2.0.0.127 1 A 127.0.0.2\n"}
    well = {"w.lists.example.org": "2.0.0.127 1 A 127.0.0.2\n8.2.0.192 1 A 127.0.0.2\n"}
    port, part = free_port(), "DNS list w.lists.example.org"
    with PrivateDNS({**ZONES, **world}) as nameserver:
        settings = {
            "dns": {"servers": [nameserver.address], "list_test_every": 1},
            "platform": {"domains": ["example.org"], **LISTS, "dnsbl": ["w.lists.example.org"], "uribl": []},
            "milter": {"workers": 1},
            "metrics": {"listen": f"127.0.0.1:{port}"},
        }
        with Installation(settings=settings) as installation:

            def log_says(words: str) -> bool:
                return words in installation.daemon.log()

            wait_until(lambda: log_says(f"{part} is left out: lists"), timeout=30, what="the log to say so")
            installation.postfix.send(ham(60), to=[JUNK], client=Client("192.0.2.7"))
            installation.postfix.wait_idle()
            assert str(delivered(installation, JUNK, 60)["X-Spam-Status"]).startswith("No")
            left_out = f'tamis_part_left_out{{part="{part}"}} 1.0'
            wait_until(lambda: left_out in metrics(port), timeout=60, what="the metric")
            found = [one for one in installation.tamis("doctor", "--json") if one["check"] == part]
            assert any("left out" in one["found"] for one in found)
            assert any("probably everything" in one["found"] for one in found)
            nameserver.serve({**ZONES, **well})
            wait_until(
                lambda: log_says(f"{part} can be believed again"), timeout=30, what="the list's return"
            )
            installation.postfix.send(ham(61), to=[JUNK], client=Client("192.0.2.8"))
            installation.postfix.wait_idle()
            assert "decided=dnsbl" in str(delivered(installation, JUNK, 61)["X-Spam-Status"])


def test_the_resolver_on_a_real_server(nameserver: PrivateDNS) -> None:
    """Large answers come over TCP; what the server refuses is a failure; what is kept outlives the server."""

    async def run() -> None:
        resolver = Resolver([("127.0.0.1", nameserver.port)], deadline=3)
        text, many, nothing, refused = await resolver.queries(
            [
                ("long.example.net", "TXT"),
                ("many.example.net", "A"),
                ("nothing.example.net", "A"),
                ("elsewhere.example", "A"),
            ]
        )
        assert isinstance(text, Answer)
        assert isinstance(many, Answer)
        assert (len(text.records[0]), len(many.records)) == (5000, 100)
        assert nothing == Answer("nothing.example.net", "A", exists=False, ttl=60.0)
        assert isinstance(refused, ServiceError)
        resolver.close()

    asyncio.run(run())


def test_a_qr_code_in_a_document_leads_to_a_listed_domain(served: Installation) -> None:
    """PDFium renders the page, zxing reads the code, the DNS lists know the domain."""
    document = pdf(
        lambda page: page.drawImage(ImageReader(qr_code("https://login.example.com/x")), 80, 400, 200, 200)
    )
    raw = letter({"invoice.pdf": document}, kind="application/pdf", number=30)
    sent = served.postfix.send(raw, to=[QUARANTINE], client=Client("192.0.2.7"))
    assert sent.accepted
    served.postfix.wait_idle()
    kept = held(served, 30)
    assert kept["decided_by"] == "uribl"
    assert "example.com is on 1 of 2 lists" in kept["because"]
