"""What Tamis catches and loses untrained, and the fit of the base's points (see benchmarks/dayone)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing import Pool
from multiprocessing.pool import ThreadPool
from pathlib import Path

import click
import numpy as np

from benchmarks.dayone_fit import REQUIRED, Floats, Source, fit, points_file, totals, wilson
from benchmarks.dayone_peers import SpamAssassinPeer, rspamd_peer
from benchmarks.honest_mail import World, honest_mail
from benchmarks.measuring import ROOT, spread
from benchmarks.scanning import by_content
from benchmarks.unwanted_mail import unwanted_mail
from tamis.knowledge import SHIPPED, KnowledgeBase, compile_base, read_base
from tamis.knowledge.base import PAIR
from tamis.message.domains import registered_domain
from tamis.message.mail import Mail

_CORPUS = ROOT / "corpus" / "spamassassin"
_GROUPS = {"spam": ("spam-1", "spam-2"), "ham": ("easy-ham-1", "easy-ham-2", "hard-ham-1")}
_BLIND = frozenset(
    {
        "sender_broken",
        "sender_no_address",
        "date_ahead",
        "date_behind",
        "id_digits",
        "id_dated",
        "id_hexadecimal",
    }
    | {
        "id_broken",
        "false_boundary",
        "host_windows",
        "charset_unknown",
        "fields_twice",
        "head_raw",
        "false_express_id",
    }
    | {"hop_dynamic", "hop_nameless", "hop_number", "kind_hop"}
    | {"stamp_off", "id_express_alone", "express_boundary", "false_mozilla", "false_bat"}
)
"""Rules that may see who collected a source of phishing, named by --blind."""
_BY_SENDER = frozenset({"corpus hard-ham-1"})
"""Bulk mail of many senders, of which some are left out at a time as well."""
_PARTS = 3
_APART = " (kinds kept apart)"
"""Made-up mail of kinds that no fit sees."""
_AT_ONCE = 200
_TOGETHER = 3


def rules_of(path: Path) -> frozenset[str]:
    """The rules of the shipped base that a message matches."""
    book = compile_base(read_base(SHIPPED)).book
    return frozenset(
        name for name, value in book.match(Mail(path.read_bytes())).values.items() if value is True
    )


def read_sources(given: Sequence[str], blind: Sequence[str], made: Path) -> list[Source]:
    """The corpus's folders, those that are given, and mail that is made up, each message matched once."""
    folders = [
        (f"corpus {name}", kind == "spam", _CORPUS / name) for kind in _GROUPS for name in _GROUPS[kind]
    ]
    for text in given:
        kind, _, rest = text.partition(":")
        name, equals, path = rest.rpartition("=")
        if kind not in _GROUPS or not Path(path).exists():
            raise click.BadParameter(f"{text}: must be spam:[NAME=]PATH or ham:[NAME=]PATH")
        folders.append((name if equals else Path(path).name, kind == "spam", Path(path)))
    folders += _made_up(made)
    sources = []
    with Pool() as pool:
        for name, spam, folder in folders:
            paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "cmds")
            found = pool.map(rules_of, paths, chunksize=20)
            hidden = _BLIND if name in blind else frozenset[str]()
            sources.append(Source(name, spam, paths, found, hidden, apart=name.endswith(_APART)))
    return sources


def _made_up(made: Path) -> Iterator[tuple[str, bool, Path]]:
    """Name, whether it is spam, and folder of each source that is made up."""
    for spam, name, write in ((False, "made up", honest_mail), (True, "made up spam", unwanted_mail)):
        for held_out in (False, True):
            folder = made / f"{name}{_APART * held_out}"
            folder.mkdir()
            for number, (_, octets) in enumerate(write(world(), held_out=held_out)):
                (folder / f"{number:04}.eml").write_bytes(octets)
            yield folder.name, spam, folder


def world() -> World:
    """Names and hosts that legitimate mail mentions as well: those of the base's own tables."""
    tables = compile_base(read_base(SHIPPED)).book.tables
    brands = [brand.names[0] for brand in tables.brands if brand.names[0].isascii()]
    hosts = sorted(tables.domains["free_hosting"] | tables.domains["file_hosting"])
    shorteners = sorted(tables.domains["shorteners"])[::50]
    return World(brands, [*hosts, *shorteners], sorted(tables.domains["free_mail"]))


def by_sender(source: Source, parts: int) -> Iterator[tuple[Source, Source]]:
    """The messages of some senders' domains, and those of all others, so that each message is among the some once."""
    domains = [registered_domain(sender_of(path).rpartition("@")[2]) for path in source.paths]
    which = [hashlib.sha256(domain.encode()).digest()[0] % parts for domain in domains]
    for number in range(parts):
        yield _some(source, [one == number for one in which]), _some(source, [one != number for one in which])


def _some(source: Source, wanted: Sequence[bool]) -> Source:
    return replace(
        source,
        paths=[path for path, one in zip(source.paths, wanted, strict=True) if one],
        rules=[met for met, one in zip(source.rules, wanted, strict=True) if one],
    )


def sender_of(path: Path) -> str:
    """The first author's address."""
    return next((one.address.lower() for one in Mail(path.read_bytes()).from_addresses), "")


def share(hits: int, total: int) -> str:
    """A percentage with its interval."""
    low, high = wilson(hits, total)
    return f"{100 * hits / total:5.1f} % [{100 * low:.1f}-{100 * high:.1f}]" if total else "-"


def above(scores: Floats) -> int:
    """How many reach what is required."""
    return int((scores >= REQUIRED).sum())


def print_rotations(sources: Sequence[Source], families: Mapping[str, str]) -> None:
    """Each source left out of the fit once, and what the others' points make of it."""
    click.echo("\nLeft out of the fit, the points of the others (rules of the base alone):")
    for left in sources:
        points = fit([one for one in sources if one is not left], families)
        _print_left(left.name, left.spam, above(totals(left, points)), len(left.rules))
    for whole in (one for one in sources if one.name in _BY_SENDER):
        lost = 0
        for left, rest in by_sender(whole, _PARTS):
            points = fit([rest if one is whole else one for one in sources], families)
            lost += above(totals(left, points))
        _print_left(f"{whole.name}, by sender", whole.spam, lost, len(whole.rules))


def _print_left(name: str, spam: bool, hits: int, total: int) -> None:  # what the number is
    click.echo(f"  {name:<34} {'spam caught' if spam else 'ham lost':<12} {share(hits, total)}")


def print_families(
    sources: Sequence[Source], points: Mapping[str, float], families: Mapping[str, str]
) -> None:
    """How many of all spam are caught only because of a family."""
    spam = [one for one in sources if one.spam]
    whole = sum(above(totals(one, points)) for one in spam)
    total = sum(len(one.rules) for one in spam)
    click.echo(
        f"\nWhat each family of rules contributes ({share(whole, total)} of all spam with all of them):"
    )
    lost: dict[str, int] = {}
    for family in sorted(set(families.values())):
        others = {
            name: value
            for name, value in points.items()
            if all(families[part] != family for part in name.split(PAIR))
        }
        lost[family] = whole - sum(above(totals(one, others)) for one in spam)
    for family, number in sorted(lost.items(), key=lambda item: -item[1]):
        click.echo(f"  {family:<24} {100 * number / max(1, total):5.1f} % less without it")


def tamis_verdicts(paths: Sequence[Path]) -> Iterator[bool]:
    """Whether this checkout takes messages for spam by their content."""
    return (told["verdict"] == "spam" for told in by_content(paths))


def print_peers(sources: Sequence[Source], messages: int) -> None:
    """Tamis, SpamAssassin and rspamd on the same messages, so many of each source, by content."""
    click.echo("\nThe whole chain beside others, by content, on the same messages:")
    with SpamAssassinPeer() as spamassassin, rspamd_peer() as rspamd, ThreadPool(_TOGETHER) as pool:
        for one in sources:
            paths = spread(one.paths, messages) if messages else list(one.paths)
            octets = [path.read_bytes() for path in paths]
            verdicts = {
                "tamis": list(tamis_verdicts(paths)),
                "spamassassin": pool.map(spamassassin.is_spam, octets),
                "rspamd": [rspamd.is_spam(message) for message in octets] if rspamd else [],
            }
            click.echo(f"  {one.name} ({'spam caught' if one.spam else 'ham lost'}, {len(paths)} messages)")
            for peer, found in verdicts.items():
                if found:
                    click.echo(f"    {peer:<14} {share(sum(found), len(found))}")


@click.command()
@click.argument("given", nargs=-1, metavar="[spam:[NAME=]PATH | ham:[NAME=]PATH]...")
@click.option(
    "--fit", "write", is_flag=True, help="Fit the points on all sources and write them into the base."
)
@click.option("--rotate", is_flag=True, help="Leave each source out of the fit once.")
@click.option("--peers", is_flag=True, help="The whole chain beside SpamAssassin and rspamd.")
@click.option("--blind", multiple=True, metavar="NAME", help="A source whose collector some rules may see.")
@click.option(
    "--messages", type=click.IntRange(0), default=250, help="So many of each source for the peers; 0: all."
)
def main(
    given: tuple[str, ...], write: bool, rotate: bool, peers: bool, blind: tuple[str, ...], messages: int
) -> None:
    """Print what is caught and lost on the first day."""
    base = compile_base(read_base(SHIPPED))
    with tempfile.TemporaryDirectory(prefix="tamis-dayone-") as made:
        sources = read_sources(given, blind, Path(made))
        _measure(base, sources, write=write, rotate=rotate)
        if peers:
            print_peers(sources, messages)


def _measure(base: KnowledgeBase, sources: Sequence[Source], *, write: bool, rotate: bool) -> None:
    families = {rule.name: rule.family for rule in base.speaking}
    for_fit = [one for one in sources if not one.apart]
    points = {rule.name: rule.points for rule in base.speaking if rule.points} | {
        f"{one}{PAIR}{other}": worth for one, others in base.pairs.items() for other, worth in others
    }
    if write:
        points = fit(sources, families)
        number = sum(len(one.rules) for one in for_fit)
        ham = sum(not one.spam for one in for_fit)
        about = f"fitted on {number} messages of {len(for_fit)} sources, {ham} of them ham"
        (SHIPPED / "points.toml").write_text(points_file(points, about), encoding="utf-8")
        used = {part for name in points for part in name.split(PAIR)}
        silent = [name for name in families if name not in used]
        number = sum(PAIR in name for name in points)
        click.echo(f"{len(used)} rules have points, alone or in {number} pairs")
        click.echo(f"without effect, and so not to be shipped: {', '.join(silent) or 'none'}")
    click.echo("The rules of the base alone:")
    for one in sources:
        scores = totals(one, points)
        said = share(above(scores), len(one.rules))
        high = np.quantile(scores, [0.5, 0.99, 1.0])
        click.echo(
            f"  {one.name:<24} {'spam caught' if one.spam else 'ham lost':<12} {said:<26} "
            f"points: median {high[0]:.1f}, 99 % at most {high[1]:.1f}, highest {high[2]:.1f}"
        )
    print_families(sources, points, families)
    if rotate:
        print_rotations(sources, families)


if __name__ == "__main__":
    main()
