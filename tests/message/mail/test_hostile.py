"""The hostile corpus: nothing raises, hangs or fills memory, and what was made of each message is as recorded."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest

from tamis.message.mail import LIMITS, Mail
from tests.message.mail import fuzz
from tests.message.mail.hostile_cases import CASES, GOLDEN, HEAD, Case, summary

# To detect hangs and quadratic blow-up on slow machines too; it is no benchmark: each takes less than 0.5 s.
CPU_SECONDS = 3.0
# The payloads, their characters (4 octets each at most), markup and its lines: some copies of the bound.
MEMORY_OCTETS = 10 * LIMITS.decoded_octets

# A value that is cut is read as it stands.
CUT_WITHIN_A_VALUE = frozenset(
    {
        *(
            "impossible_date",
            "bad_address",
            "undecodable_word",
            "mislabelled_charset",
            "invalid_content_type",
        ),
        *("multipart_without_boundary", "unknown_charset", "unknown_encoding"),
    }
)

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="ascii"))
    return loaded


@EVERY_CASE
@pytest.mark.timeout(60)
def test_examination_ends_in_time_and_reports(case: Case) -> None:
    raw = case.build()
    start = time.process_time()
    mail = fuzz.examine(raw)
    spent = time.process_time() - start
    assert spent < CPU_SECONDS
    kinds = {defect.kind for defect in mail.defects}
    assert case.expected <= kinds, case.reason
    assert all(f"{defect.detail}{defect.where}".isprintable() for defect in mail.defects)
    assert len(mail.defects) <= LIMITS.defects
    assert len(mail.parts) + len(mail.containers) <= LIMITS.parts
    assert len(mail.urls) <= LIMITS.urls
    assert len(mail.headers) <= LIMITS.headers
    assert len(mail.text) <= LIMITS.text_characters + len(mail.parts)
    assert sum(len(part.payload) for part in mail.parts) <= LIMITS.decoded_octets


@EVERY_CASE
def test_examination_is_as_recorded(case: Case, golden: dict[str, Any]) -> None:
    assert json.loads(json.dumps(summary(Mail(case.build())))) == golden[case.name]


LARGE = [
    case
    for case in CASES
    if case.name.partition("-")[2]
    in {
        *("attachment-50mb", "base64-40mb", "text-20mb", "parts-5000", "near-boundaries", "header-block-5mb"),
        *(
            "html-font-p",
            "html-parts-attributes",
            "texts-wide",
            "messages-1000",
            "one-line-5mb",
            "urls-slashes",
        ),
    }
]


@pytest.mark.parametrize("case", LARGE, ids=[case.name for case in LARGE])
def test_memory_is_bounded_by_the_limits_not_by_the_message(case: Case) -> None:
    raw = case.build()
    tracemalloc.start()
    try:
        fuzz.examine(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_OCTETS


def test_the_corpus_is_large_and_its_names_differ(golden: dict[str, Any]) -> None:
    assert len(CASES) >= 65
    assert len({case.name for case in CASES}) == len(CASES)
    assert set(golden) == {case.name for case in CASES}
    assert len(LARGE) == 12


@pytest.mark.parametrize("raw", [fuzz.GOOD, HEAD + b"\r\ntext"])
def test_what_the_caller_cut_is_not_blamed_on_the_sender(raw: bytes) -> None:
    whole = {defect.kind for defect in Mail(raw).defects}
    for cut in range(len(raw)):
        mail = Mail(raw[:cut], complete=False, size=len(raw))
        kinds = {defect.kind for defect in mail.defects}
        assert kinds - whole <= {"truncated", *CUT_WITHIN_A_VALUE}, cut
        assert "truncated" in kinds


def test_the_fuzzer_finds_nothing_in_a_short_run(tmp_path: Any) -> None:
    assert fuzz.run(seconds=30, seed=7, save=tmp_path, limit=400) == 0


@pytest.mark.parametrize(
    "unit",
    [
        b"a",
        b"<",
        b"(",
        b"=?",
        b"&",
        b";",
        b'"',
        b"\\",
        b"\r",
        b"\n ",
        b" ",
        b"://",
        b"=",
        b"--",
        b"@",
        b",",
        b"<!--",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        b"From: %b\r\n\r\n",
        b"Subject: %b\r\n\r\n",
        b"Content-Type: %b\r\n\r\n",
        b"Content-Type: text/plain;%b\r\n\r\n",
        b"Content-Disposition: attachment; filename=%b\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b",
        b"Content-Type: text/html\r\n\r\n%b",
        b'Content-Type: text/html\r\n\r\n<a href="%b',
        b"Content-Type: text/html\r\n\r\n<a style=%b>",
        b"Content-Transfer-Encoding: base64\r\n\r\n%b",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n%b",
        b"\r\nhttp://%b",
        b"Date: %b\r\n\r\n",
        b"Message-ID: %b\r\n\r\n",
    ],
)
def test_time_grows_no_faster_than_the_message(place: bytes, unit: bytes) -> None:
    flood = unit * (60_000 // len(unit))
    raw = place.replace(b"%b", flood)
    start = time.process_time()
    fuzz.examine(raw)
    assert time.process_time() - start < CPU_SECONDS / 2
