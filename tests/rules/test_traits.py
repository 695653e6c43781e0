"""Traits of messages, and that the rule of each finds it again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.rules import RuleSource
from tamis.rules.proposals import Proposal, rule_table
from tamis.rules.rule_file import compile_book
from tamis.rules.traits import hashed, name_of, traits_of
from tests.builders import PROPERTY

OFFER = (
    "From: a@example.net\r\nSubject: Warm garden sheds everywhere\r\nX-Mailer: Sender 4.71 (build 12)\r\n"
    "Message-ID: <20261130.AB12cd@mail.example.net>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Order your warm garden sheds today at https://user@shop.sheds.example/a?b=c or 4711 times.\r\n"
    "Write to marie.curie.of.example@example.org for more.\r\n"
)


def mail(text: str = OFFER) -> Mail:
    return Mail(text.encode("utf-8", "surrogateescape"))


def proposal(trait: str) -> Proposal:
    return Proposal(name_of(trait), trait, 2.0, 9, 10, 5, 5, 0, 300, 0.0126)


def found_again(one: Mail, traits: list[str]) -> set[str]:
    """The traits whose rules match a message."""
    text = "\n".join(rule_table(proposal(trait), shadow=False) for trait in traits)
    values = compile_book((RuleSource("taken.toml", text),), frozenset()).match(one).values
    return {trait for trait in traits if values.get(name_of(trait)) is True}


def test_phrases_hosts_and_forms() -> None:
    assert traits_of(mail()) == {
        "phrase:warm garden sheds everywhere",
        "phrase:order your warm garden",
        "phrase:your warm garden sheds",
        "phrase:warm garden sheds today",
        "phrase:garden sheds today at",
        "host:sheds.example",
        "form:x-mailer Sender 0.0 (build 0)",
        "form:message-id <00000000.AA00aa",
    }


def test_the_rule_of_each_finds_it_again_and_nothing_else() -> None:
    traits = sorted(traits_of(mail()))
    assert found_again(mail(), traits) == set(traits)
    assert found_again(mail(OFFER.replace("4.71", "5.0").replace("20261130", "20270101")), traits) == set(
        traits
    )
    other = (
        "From: a@example.net\r\nX-Mailer: Sender 4.71 (build 12) pro\r\n"
        "Message-ID: <2026113.AB12cd@example.net>\r\n\r\n"
        "Reorder your warm garden shedsy, warm garden 7 sheds today: https://notsheds.example/ https://sheds.example.net\r\n"
    )
    assert found_again(mail(other), traits) == set()


@pytest.mark.parametrize(
    "text",
    [
        "order  your\r\nwarm\t garden sheds TODAY",
        "<p>order <b>your</b> warm <i>garden</i></p>",
        "order your warm, garden... sheds: today",
    ],
)
def test_how_a_phrase_is_written_makes_no_difference(text: str) -> None:
    kind = "text/html" if text.startswith("<") else "text/plain"
    one = mail(f"From: a@example.net\r\nContent-Type: {kind}\r\n\r\n{text}\r\n")
    assert "phrase:order your warm garden" in traits_of(one)
    assert found_again(one, ["phrase:order your warm garden"])


WORDS = st.text(
    st.sampled_from("abcdEFßéÀжЩ日本λΣς\u2019\u201d'\".*+?()[]{}\\|^$#-_ 019\t\u200b\u00ad<&"),
    min_size=1,
    max_size=12,
)
HOSTS = st.text(st.sampled_from("abz09-."), min_size=1, max_size=15)


@PROPERTY
@given(st.lists(WORDS, min_size=1, max_size=40), HOSTS, st.text(st.sampled_from("aB0.$-_+*(["), max_size=30))
def test_every_trait_of_any_message_is_found_again(words: list[str], host: str, left: str) -> None:
    text = " ".join(words)
    one = mail(
        f"From: a@example.net\r\nX-Mailer: {left}\r\nMessage-ID: <{left}@example.net>\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text} https://{host}.example/x\r\n"
    )
    traits = sorted(traits_of(one))
    assert found_again(one, traits) == set(traits)


@PROPERTY
@given(st.binary(max_size=2000))
def test_any_octets_have_traits_with_names_and_rules(octets: bytes) -> None:
    for trait in sorted(traits_of(Mail(octets)))[:20]:
        assert len(hashed(trait)) == 12
        found_again(Mail(octets), [trait])


def test_large_messages_have_a_bounded_number() -> None:
    words = " ".join(
        f"word{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}" for n in range(50_000)
    )
    links = " ".join(f"https://h{n}.example/" for n in range(3000))
    assert len(traits_of(mail(f"From: a@example.net\r\n\r\n{words} {links}\r\n"))) < 2_500
