"""Tamis's eyes beside SpamAssassin's (see benchmarks/eyes)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import click

from benchmarks.made_up_dns import URI_LIST, Answers, MadeUpDNS, World
from benchmarks.measuring import ROOT
from benchmarks.scanning import RULES, Said, scan
from benchmarks.spamassassin import DMARC, OURS, URI, SpamAssassin, Told, pattern_rules
from tamis.contract.filter import Effect
from tamis.contract.finding import Status
from tamis.message.mail import Mail
from tamis.rules import RuleSource
from tamis.rules.rule_file import compile_book
from tamis.settings import Platform
from tamis.settings.dns_lists import DNSList
from tests.builders import FILTERS
from tests.filters.golden import TAGS, cases
from tests.filters.honest_kinds import DNS as HONEST_DNS
from tests.filters.honest_kinds import KINDS, examined
from tests.services.dns.resolving import WrittenDNS

LISTED = ("evil.example", "phish.example", "198.51.100.66")
CONTENT = frozenset(
    {"uribl", "keywords", "rule_logic", "attachment_types", "image_text", "display_name", "lookalike_domain"}
    | {
        "reply_to",
        "link_text",
        "credential_form",
        "dmarc",
        "malformed",
        "empty",
        "missing_sender",
        "cyrillic",
    }
)
"""Filters whose golden cases are taken: what a message hides, not who its client is."""

_RULES = {
    "dmarc": (DMARC,),
    "spf": ("SPF_FAIL", "SPF_SOFTFAIL", "SPF_HELO_FAIL"),
    "dkim": ("DKIM_INVALID",),
}
_ORDINARY = "letter", "letter in HTML with a link"
_MARGIN = 1.0  # points above an ordinary letter's from which SpamAssassin holds something against a message


@dataclass(frozen=True)
class Case:
    """One message: its kind, what should be seen, what the DNS says, and whether Tamis is right about it."""

    name: str
    kind: str
    check: str
    raw: bytes
    world: Answers
    right: bool
    rules: str = "RULES"
    sender: str = "stranger@example.net"
    client: str = "192.0.2.7"

    def received(self) -> bytes:
        """As it is behind a mail server, which is where SpamAssassin learns who the client was, and when."""
        came = format_datetime(Mail(self.raw).date or datetime(2026, 3, 1, 12, tzinfo=UTC))
        fields = (
            f"Return-Path: <{self.sender}>\r\nReceived: from mail.example.net (mail.example.net [{self.client}])\r\n"
            "\tby mx.example.com (Postfix) with ESMTP id 1 for <marie@example.com>;\r\n"
            f"\t{came}\r\n"
        )
        return fields.encode("utf-8", "replace") + self.raw


@dataclass(frozen=True)
class Written:
    """The DNS of a golden case."""

    dns: WrittenDNS

    def answer(self, name: str, rdtype: str) -> Sequence[str] | None:
        """As it is written; a dead one says nothing of anybody."""
        written = self.dns.said(name, rdtype)
        if isinstance(written, str):
            return () if written == "empty" else None
        return written


def of_folder(folder: Path, listed: Sequence[str]) -> Iterator[Case]:
    """The cases of a folder, scanned."""
    told = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    zone = folder / "zone.json"
    records = json.loads(zone.read_text()) if zone.is_file() else {}
    split = (key.rpartition(" ")[::2] for key in records)
    keys = [(name.lower().rstrip("."), rdtype.upper()) for name, rdtype in split]
    world = World(dict(zip(keys, records.values(), strict=True)), listed)
    paths = [folder / f"{one['name']}.eml" for one in told]
    with MadeUpDNS(world) as dns:
        said = list(scan(ROOT, paths, dns, client=world.client, name=world.client_name))
    for one, path, found in zip(told, paths, said, strict=True):
        raw = path.read_bytes()
        authors = Mail(raw).from_addresses
        letters = re.match("[a-z]*", one["name"])
        yield Case(
            one["name"],
            one.get("kind") or (letters[0] if letters else ""),
            one["check"],
            raw,
            world,
            right_of_tamis(one["check"], found),
            sender=authors[0].address if authors else "",
            client=world.client,
        )


def of_project() -> Iterator[Case]:
    """The golden cases that hide something, and the honest messages."""
    for case in cases():
        shown = [name for name, kind in case.kinds() if kind == "hit" and name in CONTENT and name != TAGS]
        if not shown or "before" in case.told or case.told.get("login"):
            continue
        findings = case.examined.findings
        yield Case(
            str(case),
            shown[0],
            "|".join(shown),
            (case.path / "message.eml").read_bytes(),
            Written(case.dns),
            any(findings[name].status is Status.HIT for name in shown),
            f"G{case.number}",
            case.told["sender"],
            case.told["ip"],
        )
    for kind, raw in KINDS.items():
        authors = Mail(raw).from_addresses
        sender = authors[0].address if authors else ""
        acting = [
            opinion
            for one in examined(raw, sender).judged
            for opinion in one.verdict.opinions
            if opinion.effect not in (None, Effect.TAG, Effect.ACCEPT)
        ]
        world = Written(WrittenDNS(HONEST_DNS, client="192.0.2.7"))
        yield Case(kind, "honest mail", "ham", raw, world, not acting, sender=sender)


def right_of_tamis(check: str, said: Mapping[str, Said]) -> bool:
    """Whether what the filters said is what a case asks for."""
    if check == "ham":
        return not [name for name, one in said.items() if one.effect in ("spam", "score", "defer")]
    hit = {name: one.text for name, one in said.items() if one.status in ("hit", "unavailable")}
    if check.startswith("-"):
        return not any(name in hit for name in check[1:].split(","))
    return any(part.partition(":")[2] in hit.get(part.partition(":")[0], "\0") for part in check.split("|"))


def right_of_spamassassin(case: Case, told: Told, ordinary: float) -> bool:
    """The same of SpamAssassin."""
    weighs = told.score >= ordinary + _MARGIN
    if case.check == "ham" or case.check.startswith("-"):
        return not weighs
    return any(_sees(part.partition(":")[0], case, told, weighs=weighs) for part in case.check.split("|"))


def _sees(name: str, case: Case, told: Told, *, weighs: bool) -> bool:
    if name == "uribl":
        return any(rule.startswith(URI) for rule in told.rules)
    if name in ("keywords", "rule_logic"):
        return any(rule.startswith(f"{OURS}{case.rules}_") for rule in told.rules)
    if name in _RULES:
        return not told.rules.isdisjoint(_RULES[name])
    return weighs


def rules_of(name: str, text: str) -> list[str]:
    """A rule file's patterns as SpamAssassin's rules."""
    patterns: dict[str, list[str]] = {}
    for rule in compile_book((RuleSource("rules.toml", text),), frozenset(one.name for one in FILTERS)).rules:
        for place in rule.where:
            patterns.setdefault(place, []).extend(rule.patterns)
    return pattern_rules(name, patterns)


@click.command()
@click.option(
    "--cases", "folder", type=click.Path(exists=True, path_type=Path), help="A folder with cases.jsonl."
)
@click.option("--listed", multiple=True, default=LISTED, help="On the list of bad domains.")
@click.option("--json", "as_json", is_flag=True)
def main(folder: Path | None, listed: tuple[str, ...], *, as_json: bool) -> None:
    """Ask both, compare by kind."""
    several = list(of_folder(folder.resolve(), listed) if folder else of_project())
    rules = rules_of("RULES", RULES)
    if folder is None:
        rules += [line for case in cases() if case.rules for line in rules_of(f"G{case.number}", case.rules)]
    lists = {*Platform().uribl}.union(*(case.told.get("platform", {}).get("uribl", ()) for case in cases()))
    zones = [URI_LIST, *sorted({DNSList.parse(text).zone for text in lists})]
    with MadeUpDNS(World()) as dns, SpamAssassin(dns=dns.address, lists=zones, rules=rules) as other:
        letters = [Case("", "", "ham", KINDS[kind], dns.world, right=True) for kind in _ORDINARY]
        plain, html = (other.check(letter.received()).score for letter in letters)
        told = []
        for case in several:
            dns.world = case.world
            told.append(other.check(case.received()))
    theirs = [
        right_of_spamassassin(case, one, html if b"text/html" in case.raw.lower() else plain)
        for case, one in zip(several, told, strict=True)
    ]
    if as_json:
        rows = zip(several, told, theirs, strict=True)
        click.echo(
            json.dumps(
                [
                    {"name": case.name, "kind": case.kind, "check": case.check, "tamis": case.right,
                     "spamassassin": right, "score": one.score, "rules": sorted(one.rules)}
                    for case, one, right in rows
                ],
                indent=1,
            )
        )  # fmt: skip
        return
    click.echo("\n".join(_table(several, theirs)))
    alone = [case.name for case, right in zip(several, theirs, strict=True) if right and not case.right]
    neither = [case.name for case, right in zip(several, theirs, strict=True) if not right and not case.right]
    click.echo(f"SpamAssassin alone is right about: {', '.join(alone) or 'none'}")
    click.echo(f"neither is right about: {', '.join(neither) or 'none'}")
    sys.exit(bool(alone))


def _table(several: Sequence[Case], theirs: Sequence[bool]) -> Iterator[str]:
    yield "| kind | messages | Tamis is right | SpamAssassin | SpamAssassin alone |"
    yield "|---|---|---|---|---|"
    kinds = list(dict.fromkeys(case.kind for case in several))
    for kind in [*sorted(kinds), ""]:
        rows = [(c.right, r) for c, r in zip(several, theirs, strict=True) if kind in ("", c.kind)]
        ours, others = sum(right for right, _ in rows), sum(right for _, right in rows)
        alone = sum(right and not own for own, right in rows)
        yield f"| {kind or '**all**'} | {len(rows)} | {ours} | {others} | {alone} |"


if __name__ == "__main__":
    main()
