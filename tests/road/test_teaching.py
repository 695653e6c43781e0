"""What teaches without anybody's report, through Postfix: a honeypot's mail and that of our users."""

from __future__ import annotations

import urllib.request

import pytest

from tests.real import wait_until
from tests.real.smtp import Client
from tests.real.support import free_port
from tests.road.installation import Installation, ham, spam

TRAP = "quarantine@example.org"
MARIE = "marie@example.com"


@pytest.mark.real
def test_honeypots_and_own_mail_teach_and_the_metrics_tell() -> None:
    port = free_port()
    settings = {
        "platform": {"domains": ["example.com", "example.org"], "honeypots": [TRAP]},
        "learning": {"outgoing": True},
        "metrics": {"listen": f"127.0.0.1:{port}"},
    }
    with Installation(settings=settings) as installation:
        postfix = installation.postfix
        for number in (1, 2):
            assert postfix.send(spam(number), to=[TRAP], client=Client(f"203.0.113.{number}")).accepted
        own = Client("192.0.2.8", login=MARIE)
        assert postfix.send(ham(3), sender=MARIE, to=["inbox@example.com"], client=own).accepted
        assert postfix.send(ham(4), to=["inbox@example.com"], client=Client("203.0.113.9")).accepted

        def told() -> list[str]:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                return str(answer.read().decode()).splitlines()

        wait_until(
            lambda: sum("tamis_reports_total{" in line for line in told()) == 2, timeout=60, what="both"
        )
        shown = told()
        assert 'tamis_reports_total{result="learned",source="honeypot"} 2.0' in shown
        assert 'tamis_reports_total{result="learned",source="outgoing"} 1.0' in shown
        about = installation.tamis("model", "status", "--json")
        assert (about["ham"], about["spam"]) == (1, 2)
