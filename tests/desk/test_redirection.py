"""Redirection addresses: any recipient goes in and comes out, and nobody else can make one."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import AddressError
from tamis.desk.redirection import OUTCOMES, SUFFIX, Redirection, RedirectionSigner, new_transaction
from tamis.message.address import domain_key
from tests.builders import MARIE, PROPERTY

SIGNER = RedirectionSigner(b"k" * 32)
TRANSACTION = "abcdefghij234567abcd"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789@.-+=%!ABCé\0 "


def redirection(recipient: str = MARIE, outcome: str = "junk") -> Redirection:
    return Redirection(recipient, TRANSACTION, outcome)


@pytest.mark.parametrize(
    "recipient",
    [
        MARIE,
        "Marie+News@example.com",
        "o'brien@example.com",
        "a.b_c=d~e@sub.example.com",
        "x@localhost",
        "m" * 300 + "@example.com",
    ],
)
def test_an_ordinary_address_stays_readable(recipient: str) -> None:
    address = SIGNER.address(redirection(recipient))
    pattern = rf"{re.escape(recipient)}\.{TRANSACTION}\.[a-z2-7]{{20}}\.junk\.tamis\.invalid"
    assert re.fullmatch(pattern, address)
    assert SIGNER.read(address) == redirection(recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        *(
            '"a b"@example.com',
            '"a@b"@example.com',
            "a%b@example.com",
            "a!b@example.com",
            "marie@[192.0.2.1]",
        ),
        *("marie@bücher.example", "été@example.com", "root", "", "a..b@example.com", "a@b@example.com"),
        *(
            "marie@" + ".".join(["x" * 60] * 4),
            "marie@-example.com",
            "\udce9@example.com",
        ),
    ],
)
def test_any_other_address_travels_coded(recipient: str) -> None:
    address = SIGNER.address(redirection(recipient))
    assert re.fullmatch(rf"[a-z2-7]*@{TRANSACTION}\.[a-z2-7]{{20}}\.junk\.tamis\.invalid", address)
    assert SIGNER.read(address) == redirection(recipient)


def test_domains_stay_within_the_dns() -> None:
    for length in range(1, 60):
        domain = ".".join(["x" * length] * 4)
        assert len(SIGNER.address(redirection(f"m@{domain}", "quarantine")).rpartition("@")[2]) <= 253


RECIPIENTS = st.one_of(
    st.emails(),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace").decode()),
    st.binary(max_size=60).map(lambda octets: octets.decode("utf-8", "surrogateescape")),
    st.tuples(st.text(LETTERS, max_size=40), st.text("abc.-AZ", max_size=40)).map("@".join),
)


@PROPERTY
@given(RECIPIENTS, st.sampled_from(sorted(OUTCOMES)))
def test_round_trip(recipient: str, outcome: str) -> None:
    address = SIGNER.address(redirection(recipient, outcome))
    read = SIGNER.read(address)
    assert (read.transaction, read.outcome) == (TRANSACTION, outcome)
    local, at, domain = recipient.rpartition("@")
    assert read.recipient in (recipient, f"{local}{at}{domain.lower()}")
    assert re.fullmatch(r"[!-~]+", address.rpartition("@")[2])
    assert address.isascii()
    assert SIGNER.address(read) == address
    assert SIGNER.read(f"{address.rpartition('@')[0]}@{address.rpartition('@')[2].upper()}") == read


@PROPERTY
@given(RECIPIENTS, st.data())
def test_a_changed_character_is_refused(recipient: str, data: st.DataObject) -> None:
    """Or it reads as the very same thing: another spelling of the domain, or idle bits of the code."""
    address = SIGNER.address(redirection(recipient, "quarantine"))
    at = data.draw(st.integers(0, len(address) - 1))
    other = data.draw(st.sampled_from(LETTERS).filter(lambda c: c != address[at]))
    changed = address[:at] + other + address[at + 1 :]
    try:
        read = SIGNER.read(changed)
    except AddressError:
        return
    original = SIGNER.read(address)
    assert (read.transaction, read.outcome) == (original.transaction, original.outcome)
    assert _key(read.recipient) == _key(original.recipient)


def _key(recipient: str) -> tuple[str, str]:
    local, _, domain = recipient.rpartition("@")
    return local, domain_key(domain)


SIGNED = SIGNER.address(redirection())


@pytest.mark.parametrize(
    "address",
    [
        "",
        MARIE,
        f"marie@{SUFFIX}",
        f"marie@example.com.{SUFFIX}",
        SIGNED.replace("junk", "inbox"),
        SIGNED.replace("junk", "tag"),
        SIGNED.replace("marie", "paul"),
        SIGNED.replace("marie", "Marie"),
        SIGNED.replace("example.com", "example.org"),
        SIGNED.replace("example.com", "sub.example.com"),
        SIGNED.replace(TRANSACTION, TRANSACTION[::-1]),
        SIGNED.replace(SUFFIX, "tamis.example"),
        SIGNED + ".",
        SIGNED + "\n",
        SIGNED.partition("@")[2],
        "not-base32!@" + SIGNED.partition("example.com.")[2],
        "a@" + SIGNED.partition("example.com.")[2],
        RedirectionSigner(b"x" * 32).address(redirection()),
    ],
)
def test_what_we_did_not_sign_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        SIGNER.read(address)


def test_a_coded_address_is_no_way_around_the_signature() -> None:
    signature = SIGNED.split(".")[-4]
    coded = base64.b32encode(b"paul@example.com").decode().rstrip("=").lower()
    with pytest.raises(AddressError):
        SIGNER.read(f"{coded}@{TRANSACTION}.{signature}.junk.{SUFFIX}")


def test_unknown_outcomes_and_short_keys_are_refused() -> None:
    with pytest.raises(AddressError, match="no such outcome"):
        SIGNER.address(redirection(outcome="bounce"))
    with pytest.raises(AddressError, match="shorter than 32"):
        RedirectionSigner(b"k" * 31)


def test_transactions_are_labels_and_differ() -> None:
    ids = {new_transaction() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[a-z2-7]{20}", one) for one in ids)


def test_what_the_version_before_signed_for_an_idn_is_still_ours() -> None:
    """0.1 signed over the IDNA 2003 form; such a copy may have waited in the queue during the upgrade."""
    tail = "tttttttttttttttttttt.3t26qy4ac2zdql4yzidc.quarantine.tamis.invalid"
    signed_by_0_1 = f"nvqxe2lfibzxi4tbyopwkltfpbqw24dmmu@{tail}"
    read = SIGNER.read(signed_by_0_1)
    assert read == Redirection("marie@straße.example", "t" * 20, "quarantine")
    assert SIGNER.address(read) != signed_by_0_1
    assert SIGNER.read(SIGNER.address(read)) == read
