"""A scanner that dies under a running daemon: seen once in the log, in metrics and doctor, and back by itself."""

from __future__ import annotations

import email
import urllib.request

import pytest

from tests.attachments import PDF, archive, eicar, letter
from tests.real import Client, free_port, wait_until
from tests.real.scanners import PrivateClamd
from tests.road.installation import Installation

pytestmark = pytest.mark.real

ALICE = "alice@example.com"


def test_a_dead_scanner_is_left_out_and_comes_back() -> None:
    port = free_port()
    with PrivateClamd() as clamd:
        settings = {
            "milter": {"workers": 1},
            "antivirus": {"seconds": 1.0, "engines": [{"name": "clamav", "socket": clamd.unix}]},
            "breakers": {"failures": 3, "pause": 0.5, "longest": 0.5},
            "metrics": {"listen": f"127.0.0.1:{port}"},
        }
        with Installation(settings=settings) as installation:

            def send(number: int, *, virus: bool = False) -> None:
                attached = archive({"eicar.com": eicar()}) if virus else PDF
                name = "papers.zip" if virus else "papers.pdf"
                raw = letter({name: attached}, number=number)
                assert installation.postfix.send(raw, to=[ALICE], client=Client("192.0.2.7")).accepted
                installation.postfix.wait_idle()

            def left_out() -> str:
                shown = installation.tamis("doctor", "--json")
                return next((one["found"] for one in shown if one["check"] == "clamd clamav"), "")

            def metric(name: str) -> float:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                    lines = answer.read().decode().splitlines()
                return next(float(one.rpartition(" ")[2]) for one in lines if one.startswith(name))

            send(0)
            clamd.stop()
            for number in range(1, 8):
                send(number)
            copies = map(email.message_from_bytes, installation.postfix.maildir(ALICE))
            unavailable = [copy for copy in copies if "antivirus" in str(copy["X-Spam-Unavailable"])]
            assert len(unavailable) == 7
            assert installation.daemon.log().count("clamd clamav is left out for 0.5 s") == 1
            wait_until(lambda: "after" in left_out(), timeout=30, what="doctor to name it")
            wait_until(
                lambda: metric('tamis_part_left_out{part="clamd clamav"}') == 1, timeout=60, what="the metric"
            )
            clamd.start()
            held = 0

            def caught() -> bool:
                nonlocal held
                held += 1
                send(100 + held, virus=True)
                return any(one["decided_by"] == "antivirus" for one in installation.held())

            wait_until(caught, timeout=60, what="the scanner to be asked again")
            assert installation.daemon.log().count("clamd clamav answers again") == 1
            wait_until(
                lambda: metric('tamis_part_left_out{part="clamd clamav"}') == 0, timeout=60, what="the metric"
            )
            assert metric('tamis_part_openings_total{part="clamd clamav"}') == 1
            assert metric('tamis_findings_total{filter="antivirus",status="unavailable"}') >= 7
            assert left_out() == ""
