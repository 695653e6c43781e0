"""Several kinds of listener at once, as grown installations have them: each message accounted for, each verdict as
documented; and a listener that bypasses the milter is noticed while it runs."""

from __future__ import annotations

import pytest

from tamis.handover.listener_counts import SUSPICIOUS
from tests.real import Client, wait_until
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
