"""The antivirus and SpamAssassin filters (S1, S25, S28) with the real servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tamis.chain.open_services import open_services
from tamis.cli.doctor_content import content_services
from tamis.contract.finding import Finding, Status
from tamis.filters.antivirus import FirstAntivirus, SecondAntivirus
from tamis.filters.spamassassin import SpamAssassin
from tamis.settings import SettingsFile
from tests.answering import looked
from tests.attachments import archive, eicar, letter
from tests.builders import LETTER, message
from tests.real.scanners import EICAR, MARK, OURS, PrivateClamd, PrivateSpamd, SilentServer

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def clamd() -> Iterator[PrivateClamd]:
    with PrivateClamd() as running:
        yield running


@pytest.fixture(scope="module")
def spamd() -> Iterator[PrivateSpamd]:
    with PrivateSpamd() as running:
        yield running


def examine(one: Any, raw: bytes, settings: str) -> Finding:
    """A filter's finding with the services of these settings."""
    told = message(raw)
    told.services = open_services(SettingsFile(None, settings).settings)
    found = looked(one, told).finding
    assert found is not None
    return found


def engines(*sockets: str, seconds: float = 8) -> str:
    listed = ", ".join(f'{{ name = "clamav{n}", socket = "{s}" }}' for n, s in enumerate(sockets))
    return f"[antivirus]\nseconds = {seconds}\nengines = [{listed}]\n"


@pytest.mark.parametrize("kind", ["unix", "inet"])
@pytest.mark.parametrize(
    ("raw", "signature"),
    [
        (letter({"eicar.com": eicar()}), EICAR),
        (letter({"papers.zip": archive({"eicar.com": eicar()})}), EICAR),
        (LETTER + MARK + b"\r\n", OURS),
        (LETTER, None),
    ],
)
def test_clamd_finds_what_it_knows(clamd: PrivateClamd, kind: str, raw: bytes, signature: str | None) -> None:
    found = examine(FirstAntivirus(), raw, engines(clamd.unix if kind == "unix" else clamd.inet))
    assert found.status is (Status.HIT if signature else Status.CLEAR)
    if signature:
        assert signature in found.text()
        assert found.facts["virus"] is True


def test_several_engines_and_the_second_pass(clamd: PrivateClamd) -> None:
    with SilentServer() as silent:
        found = examine(FirstAntivirus(), LETTER + MARK, engines(silent.inet, clamd.inet, seconds=2))
        assert found.facts["engine"] == "clamav1"
    settings = f'[antivirus]\nengines = [{{ name = "two", socket = "{clamd.inet}", second_pass = true }}]\n'
    assert examine(FirstAntivirus(), LETTER + MARK, settings).status is Status.SKIPPED
    assert examine(SecondAntivirus(), LETTER + MARK, settings).facts["signature"].startswith(OURS)


def test_a_clamd_that_accepts_and_never_answers_is_unavailable() -> None:
    with SilentServer() as silent:
        raw = letter({"a.bin": bytes(4_000_000)})
        found = examine(FirstAntivirus(), raw, engines(silent.inet, seconds=0.7))
        assert found.status is Status.UNAVAILABLE
        assert "clamav0 gave no answer in time" in found.text()


def test_spamd_says_score_and_rules(spamd: PrivateSpamd) -> None:
    settings = f'[spamassassin]\nsocket = "{spamd.inet}"\n'
    found = examine(SpamAssassin(), LETTER + MARK + b"\r\n", settings)
    assert found.status is Status.HIT
    assert "TAMIS_TEST" in found.facts["rules"]
    assert found.facts["score"] >= 5
    assert found.facts["required"] == 5.0
    without = examine(SpamAssassin(), LETTER, settings)
    assert without.facts["score"] < found.facts["score"]


@pytest.mark.parametrize("answers", [True, False])
def test_a_lost_spamd_is_unavailable(*, answers: bool) -> None:
    with SilentServer() as silent:
        port = silent.inet
        if answers:
            found = examine(SpamAssassin(), LETTER, f'[spamassassin]\nsocket = "{port}"\nseconds = 0.5\n')
    if not answers:
        found = examine(SpamAssassin(), LETTER, f'[spamassassin]\nsocket = "{port}"\n')
    assert found.status is Status.UNAVAILABLE
    assert ("no answer" if answers else "spamd") in found.text()


def test_the_doctor_looks_at_them(clamd: PrivateClamd, spamd: PrivateSpamd) -> None:
    settings = (
        f'[antivirus]\nseconds = 2\nengines = [{{ name = "good", socket = "{clamd.unix}" }}, '
        f'{{ name = "gone", socket = "unix:/nonexistent/clamd.ctl" }}]\n[spamassassin]\nsocket = "{spamd.inet}"\n'
    )
    looks = {look.check: look for look in content_services(SettingsFile(None, settings).settings)}
    assert EICAR in looks["antivirus good"].found
    assert looks["antivirus gone"].mend
    assert looks["spamassassin"].found == "answers"
    assert "tesseract reads" in looks["ocr"].found
