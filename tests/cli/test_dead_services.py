"""300 real spam messages while every external service is dead: the verdicts of the filters that need none."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tamis.services.files import attachments
from tamis.services.files import reader as file_reader
from tamis.services.files.helper import HelperPool
from tests.builders import FILTERS
from tests.cli.conftest import Run

pytestmark = pytest.mark.corpus

MESSAGES = 300
VERDICT = ("verdict", "outcome", "decided_by", "because", "score")
DEAD = """
[dns]
servers = ["127.0.0.1:9"]
[state]
url = "redis://127.0.0.1:9/0"
wait = 0.5
[[antivirus.engines]]
name = "one"
socket = "unix:/nowhere/clamd"
[[antivirus.engines]]
name = "two"
socket = "inet:127.0.0.1:9"
second_pass = true
[spamassassin]
socket = "inet:127.0.0.1:9"
[breakers]
failures = 2
"""
"""Nothing listens at any of these; helpers are broken by the test."""


NEED_SERVICES = {
    *("spf", "dmarc", "reverse_dns", "sender_mx", "dnsbl", "uribl", "helo"),
    *(
        "temporary_blacklist",
        "rate_limit",
        "greylisting",
        "automatic_whitelist",
        "ip_complaints",
        "message_checksum",
    ),
    *(
        "antivirus",
        "antivirus_second",
        "spamassassin",
        "attachment_types",
        "attachment_fingerprints",
        "image_text",
    ),
}


def settings(folder: Path, off: Sequence[str]) -> str:
    states = {one.name: "off" if one.name in off else "on" for one in FILTERS if one.switchable}
    states["knowledge"] = "shadow"  # it would hold nearly all of this spam
    policy = "".join(f'[policy.filters.{name}]\nstate = "{state}"\n' for name, state in states.items())
    return (
        f'state_directory = "{folder}"\nrun_directory = "{folder}"\n'
        f"{DEAD}\n[policy]\nexamine_everything = true\nrequired = 1.0\n{policy}"
    )


@pytest.fixture
def spam(corpus_spam: list[Path]) -> list[Path]:
    """Messages from all over the corpus."""
    return corpus_spam[:: len(corpus_spam) // MESSAGES][:MESSAGES]


@pytest.fixture
def no_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helper processes that end as soon as they are started."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for module in (attachments, file_reader):
        monkeypatch.setattr(module, "_POOL", HelperPool("broken", processes=1, waiting=16, memory=2**29))


def scan(run: Run, config: Path, spam: Sequence[Path], off: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    """What `tamis scan` makes of the messages, with these filters off."""
    config.write_text(settings(config.parent, off))
    ended = run("scan", "--json", "--ip", "192.0.2.7", "--helo", "mail.example.net", *map(str, spam))
    assert ended.status in (0, 1), ended.err[-2000:]
    assert "Traceback" not in ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def verdicts(scanned: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(one["recipients"][0][key] for key in VERDICT) for one in scanned]


@pytest.mark.usefixtures("no_helpers")
@pytest.mark.timeout(300)
def test_dead_services_are_as_if_their_filters_were_off(run: Run, config: Path, spam: list[Path]) -> None:
    """No filter fails, every message has its whole trace, and what could not look speaks neither way.

    Some filters need a service for some messages only, so each message is held against a scan without just those that
    could not look at it.
    """
    dead = scan(run, config, spam)
    assert len(dead) == MESSAGES
    alike: dict[frozenset[str], list[int]] = {}
    for number, message in enumerate(dead):
        findings = message["findings"]
        assert {one["filter"] for one in findings} == {one.name for one in FILTERS}
        assert not [one for one in findings if one["text"].startswith("failed: ")]
        unavailable = frozenset(one["filter"] for one in findings if one["status"] == "unavailable")
        alike.setdefault(unavailable, []).append(number)
    assert frozenset().union(*alike) >= NEED_SERVICES
    told = verdicts(dead)
    assert all(len([one for one in told if one[0] == kind]) > MESSAGES // 20 for kind in ("ham", "spam"))
    assert len({score for *_, score in told}) > 3  # there is something that could change
    for off, numbers in alike.items():
        without = verdicts(scan(run, config, [spam[number] for number in numbers], off=[*off]))
        assert [told[number] for number in numbers] == without
