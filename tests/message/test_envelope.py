"""The envelope and the finding: what goes into JSON comes out again."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import ConfigError, nearest_name
from tamis.base.logs import OneLine
from tamis.contract.finding import Finding, Status
from tamis.message.envelope import Envelope, Recipient, parse_ip
from tests.builders import NOW, PROPERTY

TEXT = st.text(max_size=20)


@PROPERTY
@given(TEXT, TEXT, st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=2).map(tuple)), max_size=3))
def test_envelope(helo: str, sender: str, recipients: list[tuple[str, tuple[str, ...]]]) -> None:
    told = Envelope(
        helo=helo,
        sender=sender,
        sender_args=("SMTPUTF8",),
        recipients=tuple(Recipient(*one) for one in recipients),
        received_at=NOW,
    )
    assert Envelope.from_dict(json.loads(json.dumps(told.to_dict()))) == told


@pytest.mark.parametrize("broken", [{}, {"client_ip": ""}])
def test_no_envelope(broken: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        Envelope.from_dict(broken)


@pytest.mark.parametrize(("args", "utf8"), [((), False), (("smtputf8",), True), (("BODY=8BITMIME",), False)])
def test_smtputf8(args: tuple[str, ...], utf8: bool) -> None:
    assert Envelope(sender_args=args).smtputf8 is utf8


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("IPv6:2001:db8::1", "2001:db8::1"),
        ("unknown", None),
        ("", None),
        ("192.0.2.7 ", None),
    ],
)
def test_ip(text: str, ip: str | None) -> None:
    found = parse_ip(text)
    assert (str(found) if found else None) == ip


@PROPERTY
@given(st.sampled_from(Status), TEXT, st.dictionaries(TEXT, st.integers() | TEXT | st.lists(TEXT)))
def test_finding(status: Status, because: str, facts: dict[str, object]) -> None:
    one = Finding("name", status, because, facts, 0.25)
    assert Finding.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_findings_sentence_is_translated_before_it_is_filled_in() -> None:
    one = Finding("name", Status.HIT, "{seen} letters", {"seen": 3})
    assert one.text() == "3 letters"
    assert one.text({"{seen} letters": "{seen} lettres"}.__getitem__) == "3 lettres"
    assert Finding("name", Status.CLEAR).text() == "clear"


@pytest.mark.parametrize(
    ("name", "nearest"), [("outcom", "outcome"), ("Outcome", "outcome"), ("xyz", ""), ("", "")]
)
def test_nearest_name(name: str, nearest: str) -> None:
    assert nearest_name(name, ["outcome", "required"]) == nearest


def test_an_error_names_everything_but_no_novels() -> None:
    error = ConfigError("tamis.toml", "policy.tag", "too long", value="x" * 500, nearest="flag")
    assert str(error).startswith("tamis.toml: policy.tag: too long (value 'xxx")
    assert str(error).endswith("…); did you mean 'flag'?")
    assert len(str(error)) < 160


def test_no_mail_forges_a_log_line() -> None:
    record = logging.LogRecord(
        "x", logging.INFO, "", 0, "from %s", ("a\r\nfake: line\x1b[2J\u2028\udcff",), None
    )
    assert OneLine("%(message)s").format(record) == "from a\\r\\nfake: line\\x1b[2J\\u2028\\udcff"


@pytest.mark.parametrize(
    ("address", "spellings", "given"),
    [
        ("bob+tokenabc@example.com", {"Bob+TokenAbC@Example.COM"}, "Bob+TokenAbC@example.com"),
        ("bob@example.com", {"<BOB(c)@example.com>"}, "BOB@example.com"),
        ("bob@example.com", {'"Bob"@Example.com'}, "Bob@example.com"),
        ("strasse@example.com", {"Straße@example.com"}, "Straße@example.com"),
        ("bob@example.com", set(), "bob@example.com"),
        ("alias@example.com", {"Other@example.com"}, "alias@example.com"),
        ("bob", {"Bob"}, "bob"),
        ("b.b@example.com", {"bxb@example.com"}, "b.b@example.com"),
    ],
)
def test_the_local_part_is_delivered_as_it_was_given(address: str, spellings: set[str], given: str) -> None:
    assert Recipient(address, (), frozenset(spellings)).as_given == given
