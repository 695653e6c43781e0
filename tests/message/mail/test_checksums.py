"""All copies of a mailing have one sum, whatever of it nobody sees."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.message.mail.checksums import checksum, former_checksum

SETTINGS = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
HEADER = "From: Offers <offers@example.net>\nSubject: Our prices this week\nMIME-Version: 1.0\n"
SENTENCE = "Everything in the shop costs half of what it did, until the end of this week only."
NOISE = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="<>&-"),
    min_size=1,
    max_size=30,
)


def page(markup: str, *, header: str = HEADER) -> Mail:
    body = base64.encodebytes(markup.encode()).decode()
    return Mail(
        f"{header}Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{body}".encode()
    )


def plain(text: str, *, header: str = HEADER) -> Mail:
    return Mail(f"{header}Content-Type: text/plain; charset=utf-8\n\n{text}\n".encode())


def both(text: str, markup: str) -> Mail:
    return Mail(
        (
            f'{HEADER}Content-Type: multipart/alternative; boundary="b"\n\n'
            f"--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
            f"--b\nContent-Type: text/html; charset=utf-8\n\n{markup}\n--b--\n"
        ).encode()
    )


SAME = checksum(page(f"<p>{SENTENCE}</p>"))


UNSEEN: dict[str, Callable[[str], Mail]] = {
    "style": lambda noise: page(f'<p>{SENTENCE}</p><div style="display:none">{noise}</div>'),
    "amid a word": lambda noise: page(
        f'<p>{SENTENCE[:20]}<span style="font-size:0">{noise}</span>{SENTENCE[20:]}</p>'
    ),
    "colour": lambda noise: page(f'<p>{SENTENCE}</p><font color="white">{noise}</font>'),
    "sheet": lambda noise: page(
        f"<style>.n{{visibility:hidden}}</style><p>{SENTENCE}</p><i class=n>{noise}</i>"
    ),
    "comment": lambda noise: page(f"<p>{SENTENCE}<!-- {noise} --></p>"),
    "attribute": lambda noise: page(f'<p data-n="{noise.replace(chr(34), "")}">{SENTENCE}</p>'),
    "title": lambda noise: page(f"<title>{noise}</title><p>{SENTENCE}</p>"),
    "alternative": lambda noise: both(noise, f"<p>{SENTENCE}</p>"),
    "target of a link": lambda noise: page(f'<a href="https://example.org/?n={len(noise)}">{SENTENCE}</a>'),
    "message's id": lambda noise: page(
        f"<p>{SENTENCE}</p>", header=f"Message-ID: <{len(noise)}@x>\n{HEADER}"
    ),
}


@pytest.mark.parametrize("kind", UNSEEN)
@SETTINGS
@given(noise=NOISE)
def test_what_nobody_sees_changes_nothing(kind: str, noise: str) -> None:
    assert checksum(UNSEEN[kind](noise)) == SAME


@SETTINGS
@given(
    blanks=st.lists(
        st.sampled_from(["\n", "  ", "\t ", "\u00a0", "\u2003", " \u200b", "\u200d "]), min_size=20
    ),
    marks=st.lists(st.sampled_from(["\u00ad", "\u200b", "\u2060", "\ufe0f", "\U000e0041", ""]), min_size=5),
)
def test_white_space_and_invisible_characters_change_nothing(blanks: list[str], marks: list[str]) -> None:
    words = SENTENCE.split(" ")
    text = "".join(f"{word}{marks[n % len(marks)]}{blanks[n % len(blanks)]}" for n, word in enumerate(words))
    assert checksum(plain(text)) == SAME


@SETTINGS
@given(st.sets(st.integers(0, len(SENTENCE) - 1), max_size=20))
def test_letters_that_look_like_others_change_nothing(places: set[int]) -> None:
    alike = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "i": "\u0456", "p": "\uff50", "t": "\U0001d42d"}
    text = "".join(alike.get(c, c) if n in places else c for n, c in enumerate(SENTENCE))
    assert checksum(page(f"<p>{text}</p>")) == SAME


@SETTINGS
@given(st.integers(0, len(SENTENCE) - 1))
def test_what_a_reader_sees_counts(at: int) -> None:
    letter = SENTENCE[at]
    if letter.isalpha():
        assert checksum(plain(SENTENCE[:at] + ("x" if letter != "x" else "y") + SENTENCE[at + 1 :])) != SAME


@pytest.mark.parametrize(
    "other",
    [
        plain(SENTENCE, header=HEADER.replace("prices", "news")),
        plain(SENTENCE, header=HEADER.replace("offers@", "others@")),
        plain(SENTENCE + " Yours."),
        both("x", "<p>Something else.</p>"),
    ],
    ids=["subject", "author", "text", "page"],
)
def test_other_messages_have_other_sums(other: Mail) -> None:
    assert checksum(other) != SAME


def attached(octets: bytes) -> Mail:
    body = base64.encodebytes(octets).decode()
    return Mail(
        (
            f'{HEADER}Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n{SENTENCE}\n--b\n'
            "Content-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n"
            f"Content-Transfer-Encoding: base64\n\n{body}\n--b--\n"
        ).encode()
    )


def test_each_file_counts() -> None:
    """A covering letter with a file for each reader is a message to each."""
    assert checksum(attached(b"%PDF-1.4 1")) == checksum(attached(b"%PDF-1.4 1"))
    assert len({checksum(attached(b"%PDF-1.4 1")), checksum(attached(b"%PDF-1.4 2")), SAME}) == 3


def test_of_few_words_the_hosts_of_links_count() -> None:
    """Two images behind links, from one shop, are two messages."""
    one, same, other = (
        page(f'<a href="https://{host}/x?n={number}"><img src="https://img.example.org/{number}"></a>')
        for host, number in (("spring.example.org", 1), ("spring.example.org", 2), ("autumn.example.org", 1))
    )
    assert checksum(one) == checksum(same) != checksum(other)


def test_sums_of_two_versions_never_meet() -> None:
    mail = plain(SENTENCE)
    assert checksum(mail).startswith("2.")
    assert len(former_checksum(mail)) == 40
