"""Sending back to Postfix, spoken with a listener that keeps every octet."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.base.errors import ReinjectError
from tamis.desk.reinjection import Reinjector
from tests.desk.smtp import Listener

CONTENT = b"Subject: x\r\n\r\n.leading dot\r\n..two\r\nbare \r cr\r\nend\r\n"


def test_content_and_envelope_go_out_as_they_are() -> None:
    with Listener() as postfix:
        Reinjector(postfix.address).send(
            "a=b@example.net",
            ("SIZE=9", "RET=HDRS", "ENVID=abc", "BODY=8BITMIME", "AUTH=<>"),
            [
                ("marie@example.com", ("NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;m@example.com")),
                ('"odd local"@example.com', ()),
            ],
            CONTENT,
        )
    (got,) = postfix.got
    assert got.mail == "MAIL FROM:<a=b@example.net> RET=HDRS ENVID=abc"
    assert got.rcpt == [
        "RCPT TO:<marie@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;m@example.com",
        'RCPT TO:<"odd local"@example.com>',
    ]
    assert got.content == CONTENT


def test_a_bounce_keeps_its_null_sender() -> None:
    with Listener() as postfix:
        Reinjector(postfix.address).send("", (), [("marie@example.com", ())], CONTENT)
    assert postfix.got[0].mail == "MAIL FROM:<>"


def test_eight_bits_and_utf8_are_announced_when_needed() -> None:
    with Listener() as postfix:
        Reinjector(postfix.address).send(
            "é@example.net", ("SMTPUTF8",), [("日本@example.com", ())], "é\r\n".encode()
        )
        Reinjector(postfix.address).send("a@example.net", (), [("b@example.com", ())], b"\xe9\r\n")
    assert postfix.got[0].mail == "MAIL FROM:<é@example.net> SMTPUTF8 BODY=8BITMIME"
    assert postfix.got[0].rcpt == ["RCPT TO:<日本@example.com>"]
    assert postfix.got[1].mail == "MAIL FROM:<a@example.net> BODY=8BITMIME"
    assert postfix.got[1].content == b"\xe9\r\n"


def test_nothing_is_asked_for_that_is_not_offered() -> None:
    with Listener(offers=()) as postfix:
        args = ("RET=FULL", "SMTPUTF8")
        Reinjector(postfix.address).send(
            "a@example.net", args, [("b@example.com", ("NOTIFY=NEVER",))], b"\xe9"
        )
    assert postfix.got[0].mail == "MAIL FROM:<a@example.net>"
    assert postfix.got[0].rcpt == ["RCPT TO:<b@example.com>"]


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("CONNECT", b"421 no"),
        ("CONNECT", b"554 no"),
        ("CONNECT", None),
        ("EHLO", None),
        ("MAIL", b"451 no"),
        ("MAIL", b"nonsense"),
        ("RCPT", b"550 no"),
        ("RCPT", None),
        ("DATA", b"554 no"),
        ("END", b"452 no"),
        ("END", b"552 no"),
        ("END", None),
    ],
)
def test_every_refusal_is_an_error(verb: str, reply: bytes | None) -> None:
    with Listener(replies={verb: reply}) as postfix, pytest.raises(ReinjectError, match=postfix.address):
        Reinjector(postfix.address).send("a@example.net", (), [("b@example.com", ())], CONTENT)
    assert postfix.got == []


def test_one_refused_recipient_refuses_all() -> None:
    with Listener(replies={"RCPT": b"550 no"}) as postfix, pytest.raises(ReinjectError, match="550 no"):
        Reinjector(postfix.address).send("", (), [("a@example.com", ()), ("b@example.com", ())], CONTENT)
    assert postfix.got == []


def test_a_farewell_that_fails_is_no_failure() -> None:
    for reply in (None, b"500 what"):
        with Listener(replies={"QUIT": reply}) as postfix:
            Reinjector(postfix.address).send("", (), [("b@example.com", ())], CONTENT)
        assert len(postfix.got) == 1


def test_nobody_listens_and_somebody_is_silent() -> None:
    with Listener() as gone:
        pass
    with pytest.raises(ReinjectError, match="refused"):
        Reinjector(gone.address).send("", (), [("b@example.com", ())], CONTENT)


def test_a_silent_postfix_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ReinjectError, match="timed out"):
            Reinjector(address, timeout=0.2).send("", (), [("b@example.com", ())], CONTENT)


@pytest.mark.parametrize("address", ["a@example.com>\r\nRCPT TO:<evil@example.com", "a\n@example.com"])
def test_an_address_can_inject_no_command(address: str) -> None:
    with Listener() as postfix:
        with pytest.raises(ReinjectError):
            Reinjector(postfix.address).send("", (), [(address, ())], CONTENT)
        with pytest.raises(ReinjectError):
            Reinjector(postfix.address).send(address, (), [("b@example.com", ())], CONTENT)
        for arg in ("NOTIFY=NEVER\r\nRSET", "ORCPT=rfc822;a b"):
            Reinjector(postfix.address).send("", (), [("b@example.com", (arg,))], CONTENT)
    assert {m.rcpt[0] for m in postfix.got} == {"RCPT TO:<b@example.com>"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), max_size=20))
def test_any_lines_arrive(lines: list[bytes]) -> None:
    content = b"\r\n".join([*lines, b""])
    with Listener() as postfix:
        Reinjector(postfix.address).send("", (), [("b@example.com", ())], content)
    assert postfix.got[0].content == (content or b"\r\n")
