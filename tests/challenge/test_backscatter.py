"""A sample of the backscatter trial (benchmarks/backscatter): who must never be written to is not, on real spam."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from email.message import Message as Parsed
from pathlib import Path

import pytest

from benchmarks.backscatter_run import NO_BUDGETS, RECIPIENT, Message, decided, read, spf
from tamis.chain.registry import load_filters
from tamis.contract.finding import Finding, Status
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.settings import NoticeSettings, SettingsFile, WebSettings

pytestmark = pytest.mark.corpus

SAMPLE = 160
FORBIDDEN = ("spf", "dmarc", "virus", "own-domain", "null-sender", "honeypot")


def changed(message: Message, kind: str) -> Message:
    """The message with one thing about it for which nobody may be asked."""
    added: dict[str, Finding] = {
        "spf": replace(spf("fail", message.sender), status=Status.HIT),
        "dmarc": Finding("dmarc", Status.HIT, "", {"result": "fail"}),
        "virus": Finding("antivirus", Status.HIT, "", {"virus": True}),
        "honeypot": Finding("honeypot", Status.HIT, "", {"traps": ["trap@example.com"]}),
    }
    sender = {"own-domain": f"spammer@{RECIPIENT.partition('@')[2]}", "null-sender": ""}.get(
        kind, message.sender
    )
    findings = (*message.findings, added[kind]) if kind in added else message.findings
    return replace(message, sender=sender, findings=findings)


def is_automatic(mail: Parsed) -> bool:
    """By the standard library's parser and rules of its own: what a list, a program or a bounce says of itself."""
    return (
        any(name.lower().startswith("list-") for name in mail)
        or (mail["Precedence"] or "").strip().lower() in ("bulk", "list", "junk")
        or (mail["Auto-Submitted"] or "no").strip().lower() != "no"
        or mail.get_content_type() == "multipart/report"
    )


def test_nobody_is_asked_who_must_not_be(corpus_spam: list[Path], tmp_path: Path) -> None:
    """SPF is said to pass for everybody else, and there are no budgets: the worst case."""
    file = SettingsFile(None, "")
    notices = NoticeSettings.model_validate(NO_BUDGETS)
    settings = file.settings.model_copy(
        update={"notices": notices, "web": WebSettings(url="https://mail.example.com")}
    )
    site = replace(Site.build(file, load_filters(), Snapshot()), settings=settings)
    paths = corpus_spam[:: len(corpus_spam) // SAMPLE][:SAMPLE]
    messages = list(read(paths, site))
    kinds = [FORBIDDEN[n % 12] if n % 12 < len(FORBIDDEN) else "" for n in range(len(messages))]
    mixed = [changed(one, kind) for one, kind in zip(messages, kinds, strict=True)]
    of_transaction = {f"t{number}": number for number in range(len(mixed))}
    challenges = decided(site, mixed, "pass", tmp_path, keep_spf=True)
    assert len(challenges) == len(mixed)
    asked = {of_transaction[one.transaction] for one in challenges if not one.reason}
    assert len(asked) > SAMPLE // 5
    for number in asked:
        assert kinds[number] == "", f"{paths[number]}: {kinds[number]}"
        assert not is_automatic(email.message_from_bytes(mixed[number].raw)), paths[number]
        assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", mixed[number].sender)
    reasons = {of_transaction[one.transaction]: one.reason for one in challenges}
    told = {kind: {reasons[n] for n, k in enumerate(kinds) if k == kind} for kind in FORBIDDEN}
    before = {"automatic", "list", "address"}  # rules that stand before findings
    assert all(told[kind] <= {kind} | before for kind in FORBIDDEN)
    assert all(kind in told[kind] for kind in FORBIDDEN)
