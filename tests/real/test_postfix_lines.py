"""The lines of deploy/postfix in a real Postfix: what redirection needs is true of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tests.real import Client, PrivatePostfix, free_port, send
from tests.real.standin import REDIRECTION, StandInDesk, StandInMilter
from tests.real.world import WORLD, ask_the_world, nothing_exists

pytestmark = pytest.mark.real

MESSAGE = b"From: s@example.net\nTo: a@example.com\nSubject: hello\nMessage-ID: <1@example.net>\n\nHello\n"


@contextmanager
def redirecting(
    *locals_redirected: str,
    aliases: Mapping[str, str] | None = None,
    main: Mapping[str, str] | None = None,
    master: str = "",
) -> Iterator[tuple[PrivatePostfix, StandInMilter, StandInDesk]]:
    """A Postfix whose milter sends some recipients round by the desk."""
    chosen = locals_redirected or ("tag",)
    with ExitStack() as stack:
        milter = stack.enter_context(StandInMilter(lambda address: address.partition("@")[0] in chosen))
        reinjection = free_port()
        desk = stack.enter_context(StandInDesk(reinjection))
        postfix = stack.enter_context(
            PrivatePostfix(
                milter=milter.address,
                desk_port=desk.port,
                reinjection_port=reinjection,
                aliases=aliases,
                main=main,
                master=master,
            )
        )
        yield postfix, milter, desk


def test_milter_is_told_the_client() -> None:
    with redirecting() as (postfix, milter, _):
        client = Client("192.0.2.7", "mail.example.net", port=4321)
        assert postfix.send(MESSAGE, to="inbox@example.com", client=client).accepted
        told = milter.connect_macros[-1]
    assert told["{client_addr}"] == "192.0.2.7"
    assert told["{client_name}"] == told["{client_ptr}"] == "mail.example.net"
    assert told["{client_port}"] == "4321"
    assert told["{daemon_port}"] == str(postfix.port)
    assert told["j"] == "mx.example.com"


def test_redirection_delivers_each_recipient_once_with_the_same_bytes() -> None:
    body = b"x" * 5000 + b"\n.dot\n" + bytes(range(0x80, 0x100)) + b"\n" + b"y" * 998 + b"\n"
    with redirecting() as (postfix, _, desk):
        assert postfix.send(MESSAGE + body, to=["inbox@example.com", "tag@example.com"]).accepted
        postfix.wait_idle()
        (in_place,) = postfix.maildir("inbox@example.com")
        (redirected,) = postfix.maildir("tag@example.com")
        assert postfix.bounces() == []
    tail = MESSAGE + body
    assert in_place.endswith(tail)
    assert redirected.endswith(tail)
    assert desk.visits[0].message.endswith(tail.replace(b"\n", b"\r\n"))
    assert [address for address, _ in desk.visits[0].recipients] == ["tag@example.com" + REDIRECTION]


def test_virtual_alias_is_expanded_once_after_the_redirection() -> None:
    aliases = {"tag@example.com": "alice@example.com, bob@example.org"}
    with redirecting(aliases=aliases) as (postfix, _, desk):
        assert postfix.send(MESSAGE, to=["tag@example.com"]).accepted
        postfix.wait_idle()
        counts = [
            len(postfix.maildir(a)) for a in ("alice@example.com", "bob@example.org", "tag@example.com")
        ]
    assert counts == [1, 1, 0]
    assert [[a for a, _ in visit.recipients] for visit in desk.visits] == [["tag@example.com" + REDIRECTION]]


def test_strangers_cannot_ask_for_success_notices() -> None:
    """One would return the scores on the delivered copy to a spammer (RFC 3461 4.1)."""
    with redirecting() as (postfix, _, _desk):
        wish = ["NOTIFY=SUCCESS"]
        assert not postfix.send(MESSAGE, to="tag@example.com", rcpt_options=wish).accepted


def test_delivery_status_wishes_are_redirected() -> None:
    """Where they are offered: to users who submit mail."""
    with redirecting(main={"smtpd_discard_ehlo_keywords": ""}) as (postfix, _, desk):
        wishes = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;origin@example.org"]
        options = ["RET=HDRS", "ENVID=e1"]
        assert postfix.send(MESSAGE, to="tag@example.com", rcpt_options=wishes, mail_options=options).accepted
        postfix.wait_idle()
        reports = postfix.bounces()
    (visit,) = desk.visits
    assert set(visit.recipients[0][1].split()) == set(wishes)
    assert set(options) <= set(visit.mail_parameters.split())
    assert len(reports) == 1, "one success report, made by the final delivery"
    assert b"tamis.invalid" not in reports[0]


def test_rewriting_checks_and_copies_happen_once() -> None:
    main = {
        "sender_canonical_maps": "inline:{ {a@example.net=b@example.net} }",
        "recipient_canonical_maps": "inline:{ {tag@example.com=tag@example.org} }",
        "header_checks": "regexp:{ {/^Subject:/ PREPEND X-Checked: yes} }",
        "always_bcc": "dave@example.com",
        # The second listener's client is one of ours; still its mail gets no From, no Date.
        "local_header_rewrite_clients": "permit_mynetworks",
    }
    bare = b"Subject: no date, no id\n\nbody\n"
    with redirecting(main=main) as (postfix, _, _):
        assert postfix.send(
            bare, to="tag@example.com", sender="a@example.net", client=Client("192.0.2.1")
        ).accepted
        postfix.wait_idle()
        (copy,) = postfix.maildir("tag@example.org")
        assert len(postfix.maildir("dave@example.com")) == 1
        assert postfix.maildir("tag@example.com") == []
    assert copy.startswith(b"Return-Path: <b@example.net>")
    assert copy.count(b"X-Checked: yes") == 1
    assert copy.endswith(b"Subject: no date, no id\n\nbody\n")
    assert b"\nMessage-Id:" not in copy


def test_a_message_of_just_the_allowed_size_is_redirected() -> None:
    with redirecting(main={"message_size_limit": "8000"}) as (postfix, _, desk):
        desk.added = b"X-Spam-Trace: " + b"x" * 900 + b"\r\n"
        # The largest that comes in.
        size = 8000
        while not postfix.send(MESSAGE + b"z" * (size - len(MESSAGE)) + b"\n", to="tag@example.com").accepted:
            size -= 50
        assert size > 6000
        postfix.wait_idle()
        assert len(postfix.maildir("tag@example.com")) == 1
        assert postfix.bounces() == []


def test_a_message_of_just_the_allowed_hops_is_redirected() -> None:
    hop = b"Received: from a by b; Sun, 22 Nov 2026 11:00:00 +0000\n"
    with redirecting(main={"hopcount_limit": "10"}) as (postfix, _, _):
        assert postfix.send(hop * 9 + MESSAGE, to="tag@example.com").reply.code == 554
        assert postfix.send(hop * 8 + MESSAGE, to="tag@example.com").accepted
        postfix.wait_idle()
        assert len(postfix.maildir("tag@example.com")) == 1
        assert postfix.bounces() == []


def test_the_second_listener_obeys_no_restriction_of_main_cf() -> None:
    strict = dict.fromkeys(
        ("smtpd_data_restrictions", "smtpd_end_of_data_restrictions"),
        "check_client_access inline:{ {127.0.0.1=REJECT} }",
    )
    main = {
        **strict,
        "smtpd_helo_required": "yes",
        "smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname",
        "smtpd_sender_restrictions": "check_client_access inline:{ {127.0.0.1=REJECT} }",
        "smtpd_recipient_restrictions": "check_client_access inline:{ {127.0.0.1=REJECT} }",
        "smtpd_client_restrictions": "check_client_access inline:{ {127.0.0.1=REJECT} }",
        "smtpd_reject_unlisted_sender": "yes",
        "smtpd_discard_ehlo_keywords": "dsn, 8bitmime",
        "lmtp_tls_security_level": "encrypt",
        "smtpd_tls_security_level": "none",
    }
    with redirecting(main=main) as (postfix, _, _):
        assert postfix.send(MESSAGE, to="tag@example.com", client=Client("192.0.2.1")).accepted
        postfix.wait_idle()
        assert len(postfix.maildir("tag@example.com")) == 1
        assert postfix.bounces() == []


def test_the_second_listener_serves_this_machine_only_and_never_says_5xx() -> None:
    with redirecting() as (postfix, _, _):
        sent = send(postfix.reinjection_port, MESSAGE, to="tag@example.com", client=Client("192.0.2.1"))
        assert sent.reply.temporary
        assert postfix.maildir("tag@example.com") == []


def test_a_refusing_or_absent_desk_leaves_the_mail_in_the_queue() -> None:
    with redirecting() as (postfix, _, desk):
        desk.refusal = "550 5.7.1 no"
        assert postfix.send(MESSAGE, to="tag@example.com").accepted
        postfix.wait_log(r"status=SOFTBOUNCE|status=deferred")
        desk.stop()
        postfix.wait_log(r"status=deferred \(.*[Cc]onnection refused")
        assert postfix.maildir("tag@example.com") == []
        desk.refusal = ""
        desk.start()
        postfix.wait_idle()
        assert len(postfix.maildir("tag@example.com")) == 1
        assert postfix.bounces() == []


def test_an_absent_milter_makes_the_sender_come_back() -> None:
    with redirecting() as (postfix, milter, _):
        milter.stop()
        assert postfix.send(MESSAGE, to="inbox@example.com").reply.temporary
        milter.start()
        assert postfix.send(MESSAGE, to="inbox@example.com").accepted
        postfix.wait_idle()


def test_outsiders_cannot_reach_the_desk() -> None:
    with redirecting() as (postfix, _, desk):
        sent = postfix.send(MESSAGE, to="tag@example.com" + REDIRECTION, client=Client("192.0.2.9"))
        assert not sent.accepted
        assert desk.visits == []


@pytest.mark.parametrize("lines_kept", [True, False], ids=["with the filter", "without it"])
def test_mail_waits_while_the_transport_line_is_lost(lines_kept: bool) -> None:
    """Without its transport a redirection address is a domain that does not exist: 5.4.4, a bounce."""
    main = {"default_transport": "world"}
    if not lines_kept:
        main["default_delivery_status_filter"] = ""
    with nothing_exists(), redirecting(main=main, master=WORLD) as (postfix, _, desk):
        ask_the_world(postfix)
        table = postfix.parameter("transport_maps")
        desk.stop()
        assert postfix.send(MESSAGE, to="tag@example.com", sender="inbox@example.com").accepted
        postfix.wait_log(r"status=deferred \(.*refused")
        postfix.postconf(transport_maps="inline:{ {example.invalid = discard:} }")
        postfix.reload()
        if not lines_kept:
            postfix.wait_log(r"dsn=5\.4\.4, .*status=bounced .*Host not found")
            return
        postfix.wait_log(r"dsn=4\.4\.4, .*status=deferred .*tamis\.invalid.*Host not found")
        desk.start()
        postfix.postconf(transport_maps=table)
        postfix.reload()
        postfix.flush()
        postfix.wait_idle()
        assert len(postfix.maildir("tag@example.com")) == 1
        assert postfix.maildir("inbox@example.com") == [], "no bounce came to the sender"
