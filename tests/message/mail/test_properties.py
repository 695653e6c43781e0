"""Properties of ``Mail`` that hold for whatever octets."""

from __future__ import annotations

import base64
import binascii

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.message.mail.defects import DefectReport
from tamis.message.mail.headers import scan
from tamis.message.mail.limits import LIMITS
from tamis.message.mail.markup import rewrite
from tamis.message.mail.scripts import count_scripts
from tamis.message.mail.urls import host_of, text_urls
from tamis.message.mail.words import decode_words, parameters
from tests.message.mail.fuzz import TOKENS, VALUES, examine

SETTINGS = settings(
    derandomize=True, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)
GRAMMAR = st.lists(
    st.one_of(st.sampled_from(TOKENS), st.sampled_from(VALUES), st.binary(max_size=20)), max_size=60
).map(b"".join)
HTML = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b>",
                "</b>",
                "<a href='",
                "'>",
                '"',
                "<",
                ">",
                "<table>",
                "<td>",
                "<!--",
                "-->",
                "&#",
            ]
        ),
        st.sampled_from(
            ["<script>", "</script>", "<template>", "<svg>", "<select>", "<style", "=", " ", "\x00", "</"]
        ),
        st.text(max_size=8),
    ),
    max_size=60,
).map("".join)
WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@SETTINGS
@given(st.binary(max_size=2000))
def test_no_octets_raise(raw: bytes) -> None:
    examine(raw)


@SETTINGS
@given(GRAMMAR, GRAMMAR)
def test_no_grammar_raises(header: bytes, body: bytes) -> None:
    examine(header + b"\r\n\r\n" + body)


@SETTINGS
@given(HTML)
def test_no_markup_raises(source: str) -> None:
    examine(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source.encode())
    rewritten, used, _ = rewrite(source, 1000)
    assert used <= source.count("<")
    assert rewritten.count("<") <= source.count("<")


@SETTINGS
@given(GRAMMAR)
def test_spans_lie_within_the_message(raw: bytes) -> None:
    headers, body = scan(raw, 0, len(raw), LIMITS, DefectReport(100))
    assert 0 <= body <= len(raw)
    assert sum(len(field.raw_name) + len(field.raw_value) for field in headers) <= len(raw)
    mail = Mail(raw)
    assert sum(part.size for part in mail.parts) <= len(raw) or any(
        defect.kind == "encoded_container" for defect in mail.defects
    )


@SETTINGS
@given(st.binary(max_size=500), st.booleans())
def test_well_formed_encodings_are_undone(octets: bytes, quoted: bool) -> None:
    if quoted:
        encoded, name = binascii.b2a_qp(octets, istext=False), b"quoted-printable"
    else:
        encoded, name = base64.encodebytes(octets), b"base64"
    mail = Mail(b"Content-Transfer-Encoding: " + name + b"\r\n\r\n" + encoded)
    assert mail.parts[0].payload == octets
    assert not {"bad_qp", "bad_base64"} & {defect.kind for defect in mail.defects}


@SETTINGS
@given(WORDS, st.integers(1, 30))
def test_words_split_within_characters_are_joined(text: str, step: int) -> None:
    octets = text.encode()
    words = [
        "=?utf-8?b?" + base64.b64encode(octets[at : at + step]).decode() + "?="
        for at in range(0, len(octets), step)
    ]
    expected = text.removeprefix("\ufeff")
    assert decode_words(" ".join(words), DefectReport(10), "subject") == expected


@SETTINGS
@given(WORDS)
def test_parameters_are_read_back(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parameters(f'x/y; a="{quoted}"; b=c') == {"a": text, "b": "c"}


@SETTINGS
@given(st.lists(st.binary(max_size=60).filter(lambda b: b"--sep" not in b), min_size=1, max_size=8))
def test_the_parts_of_a_multipart_are_read_back(contents: list[bytes]) -> None:
    inner = b"".join(b"--sep\r\n\r\n" + content + b"\r\n" for content in contents)
    mail = Mail(b"Content-Type: multipart/mixed; boundary=sep\r\n\r\n" + inner + b"--sep--\r\n")
    assert [part.payload for part in mail.parts] == contents


@SETTINGS
@given(st.text(max_size=200))
def test_hosts_are_lower_case_ascii_and_short(text: str) -> None:
    host = host_of(text)
    assert host == host.lower()
    assert host.isascii() or text.startswith("[")
    for url in text_urls(text, LIMITS):
        assert url.host
        assert url.raw in text


@SETTINGS
@given(st.text(max_size=300))
def test_letters_are_counted_once(text: str) -> None:
    assert count_scripts(text).letters == sum(character.isalpha() for character in text)
