"""Invitations and cards: what programs show of them is text that rules see, and files in them are attachments.

An ordinary run tries two hundred of each, and 2,000 with `pytest --hypothesis-profile=many`.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.message.mail import DefectKind, Limits, Mail
from tamis.message.mail.cards import card_files, is_card, read_card
from tests.message.mail.test_visible import found

TRIES = settings(max_examples=max(200, settings().max_examples), deadline=None)
PHRASE = "Our miracle cure, today; only"
PROGRAM = b"MZ\x90\0" + bytes(range(256))


def invitation(*lines: str, end: str = "\r\n") -> str:
    whole = ("BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR")
    return "".join(line + end for line in whole)


def card(*lines: str, end: str = "\r\n") -> str:
    return "".join(line + end for line in ("BEGIN:VCARD", "VERSION:2.1", *lines, "END:VCARD"))


def message(content: str, subtype: str, *, disposition: str = "", name: str = "") -> Mail:
    whole = MIMEMultipart("mixed")
    whole["From"] = "stranger@example.net"
    whole.attach(MIMEText("See you.", "plain"))
    part = MIMEText(content, subtype, "utf-8") if subtype else MIMEApplication(content.encode())
    if disposition:
        part.add_header("Content-Disposition", disposition, filename=name or "a.ics")
    whole.attach(part)
    return Mail(whole.as_bytes())


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def folded(line: str, width: int, end: str) -> str:
    return (end + " ").join(line[at : at + width] for at in range(0, len(line), width))


@TRIES
@given(
    st.sampled_from(
        (
            "SUMMARY",
            "DESCRIPTION",
            "LOCATION",
            "COMMENT",
            "description",
            "X-ALT-DESC",
            "X-WR-CALNAME",
            "CONTACT",
        )
    ),
    st.sampled_from(("", ";LANGUAGE=fr", ';ALTREP="https://a.example.com/x:y"', ';X-A="b:c;d";X-B=e')),
    st.integers(5, 80),
    st.sampled_from(("\r\n", "\n")),
    st.sampled_from(
        (
            ("calendar", ""),
            ("calendar", "attachment"),
            ("calendar", "inline"),
            ("", "attachment"),
            ("plain", ""),
        )
    ),
)
def test_what_an_invitation_says_is_seen(
    name: str, parameters: str, width: int, end: str, kind: tuple[str, str]
) -> None:
    subtype, disposition = kind
    line = folded(f"{name}{parameters}:{escaped(PHRASE)}", width, end)
    assert found(message(invitation(line, end=end), subtype, disposition=disposition))


@TRIES
@given(
    st.sampled_from(("NOTE", "FN", "TITLE", "ORG", "ROLE", "item1.NOTE", "ADR")),
    st.sampled_from(("plain", "quoted", "base64", "old quoted")),
    st.integers(8, 76),
    st.sampled_from(("vcard", "x-vcard", "directory")),
)
def test_what_a_card_says_is_seen(name: str, encoding: str, width: int, subtype: str) -> None:
    text = PHRASE.partition(",")[0]
    if encoding == "plain":
        line = folded(f"{name}:{text}", width, "\r\n")
    elif encoding == "base64":
        line = folded(f"{name};ENCODING=b:{base64.b64encode(text.encode()).decode()}", width, "\r\n")
    else:
        octets = "".join(f"={octet:02X}" for octet in text.encode())
        soft = "=\r\n".join(octets[at : at + width] for at in range(0, len(octets), width))
        line = f"{name};{'ENCODING=' if encoding == 'quoted' else ''}QUOTED-PRINTABLE:{soft}"
    assert found(message(card(line), subtype, disposition="attachment", name="a.vcf"))


@pytest.mark.parametrize(
    "line",
    [
        "X-ALT-DESC;FMTTYPE=text/html:<html><body>mir<b>acle</b> cure</body></html>",
        "STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html:<p>miracle&#32;cure</p>",
        "DESCRIPTION:<p>mir<span></span>acle cure",
        'DESCRIPTION;ALTREP="data:text/html,%3Cp%3Emir%3Cb%3Eacle%3C/b%3E cure":Hello',
        'DESCRIPTION;ALTREP="data:text/html;base64,PHA+bWlyYWNsZSBjdXJlPC9wPg==":Hello',
        'ORGANIZER;CN="Our miracle cure":mailto:stranger@example.net',
        "ATTENDEE;CN=miracle cure;ROLE=CHAIR:mailto:marie@example.com",
    ],
)
def test_pages_and_names_in_it_are_seen(line: str) -> None:
    assert found(message(invitation(line), "calendar", disposition="attachment"))


def test_a_reminder_is_seen() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:miracle cure", "END:VALARM")
    assert found(message(invitation("SUMMARY:Lunch", *alarm), "calendar"))


def test_what_is_not_shown_is_not_text() -> None:
    mail = message(invitation("SUMMARY:Lunch", "UID:miracle cure", "X-SECRET:miracle cure"), "calendar")
    assert not found(mail)
    assert "Lunch" in " ".join(mail.visible)
    assert mail.text == "See you."


ENCODED = base64.b64encode(PROGRAM).decode()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=invoice.exe:{ENCODED}", "invoice.exe"),
        (f'ATTACH;VALUE=BINARY;ENCODING=BASE64;FILENAME="invoice.exe":{ENCODED}', "invoice.exe"),
        (f"ATTACH;VALUE=BINARY:{ENCODED}", "attachment.bin"),
        (f"ATTACH:data:application/pdf;base64,{ENCODED}", "attachment.pdf"),
        (f"IMAGE;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=image/png:{ENCODED}", "attachment.png"),
        (f"PHOTO;ENCODING=b;TYPE=PNG:{ENCODED}", "attachment.png"),
        (f"PHOTO;PNG;BASE64:{ENCODED}", "attachment.png"),
        (f"LOGO;BASE64;TYPE=GIF:\r\n {folded(ENCODED, 70, chr(13) + chr(10))}\r\n", "attachment.gif"),
        (f"KEY;ENCODING=B:{ENCODED}", "attachment.bin"),
    ],
)
@pytest.mark.parametrize("whole", [invitation, card])
def test_files_in_it_are_attachments(line: str, name: str, whole: Callable[..., str]) -> None:
    content = whole(line)
    inside = [
        part
        for part in message(content, "calendar", disposition="attachment").attachments
        if part.why == "embedded"
    ]
    assert [(part.filename, part.payload) for part in inside] == [(name, PROGRAM)]


@pytest.mark.parametrize(
    "octets", [b"", b"BEGIN:VERY long letter", b"Begin: very much so", b"X" * 5000 + b"\nBEGIN:VCALENDAR"]
)
def test_other_files_are_none(octets: bytes) -> None:
    assert not is_card(octets) or read_card(octets.decode()).text == ""


def test_what_does_not_fit_is_told() -> None:
    lines = [f"ATTACH;VALUE=BINARY;ENCODING=BASE64:{ENCODED}"] * 20
    raw = message(invitation(*lines), "calendar").raw
    mail = Mail(raw, limits=Limits(readings=5))
    assert DefectKind.TOO_MANY_READINGS in {one.kind for one in mail.defects}
    assert len([part for part in mail.attachments if part.why == "embedded"]) <= 5


HOSTILE = {
    "begin": "BEGIN:VCALENDAR\n" * 10_000,
    "folds": invitation("SUMMARY:a" + "\r\n b" * 50_000),
    "parameters": invitation("SUMMARY" + ";a=b" * 50_000 + ":c"),
    "quotation marks": invitation('SUMMARY;A="' + 'b";"' * 50_000),
    "parameters without end": invitation("SUMMARY" + ";a" * 100_000),
    "names without end": invitation("a" * 300_000),
    "groups": invitation("a." * 100_000 + "NOTE:b"),
    "soft breaks": card("NOTE;QUOTED-PRINTABLE:" + "=41=\r\n" * 50_000),
    "soft breaks without end": card("NOTE;QUOTED-PRINTABLE:" + "= " * 100_000),
    "quoted-printable named": card("quoted-printable" * 20_000),
    "escapes": invitation("SUMMARY:" + "\\" * 200_001),
    "texts": invitation(*(f"SUMMARY:{number}" for number in range(10_000))),
    "files": invitation(*[f"ATTACH;VALUE=BINARY:{ENCODED}"] * 10_000),
    "data": invitation(*["ATTACH:data:" + ";a" * 100] * 2_000),
    "markup": invitation("DESCRIPTION:" + "<p>" * 100_000),
    "base64 without end": invitation("ATTACH;VALUE=BINARY:" + "A" * 1_000_001),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_ones_end(name: str) -> None:
    octets = HOSTILE[name].encode()
    assert is_card(octets)
    read_card(HOSTILE[name])
    for _ in card_files(octets):
        pass
    mail = Mail(b"Content-Type: text/calendar\r\n\r\n" + octets)
    assert mail.defects
    assert isinstance(mail.visible, tuple)


@TRIES
@given(st.text(max_size=300), st.integers(0, 400), st.binary(max_size=40))
def test_whatever_comes_nothing_raises(text: str, at: int, octets: bytes) -> None:
    whole = invitation(
        f"SUMMARY:{text}", f"ATTACH;VALUE=BINARY:{ENCODED}", f"NOTE;ENCODING=QUOTED-PRINTABLE:{text}"
    )
    mutated = whole.encode("utf-8", "replace")
    mutated = mutated[:at] + octets + mutated[at + 3 :]
    read_card(mutated.decode("utf-8", "replace"))
    assert all(one.octets for one in card_files(mutated))
    _ = Mail(b"Content-Type: text/calendar\r\n\r\n" + mutated).defects


def test_quoted_printable_in_other_charsets() -> None:
    octets = quopri.encodestring("été".encode("latin-1")).decode().strip()
    assert read_card(card(f"NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:{octets}")).text == "été"
