"""What Tamis catches and loses untrained, and the fit of the base's points (see benchmarks/dayone)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import Pool
from pathlib import Path

import click
import numpy as np

from benchmarks.dayone_fit import REQUIRED, Floats, Source, fit, points_file, totals, wilson
from benchmarks.dayone_peers import SpamAssassinPeer, rspamd_peer
from benchmarks.measuring import ROOT, spread
from tamis.knowledge import SHIPPED, compile_base, read_base
from tamis.message.mail import Mail

_CORPUS = ROOT / "corpus" / "spamassassin"
_GROUPS = {"spam": ("spam-1", "spam-2"), "ham": ("easy-ham-1", "easy-ham-2", "hard-ham-1")}
_BLIND: frozenset[str] = frozenset({"sender_broken", "date_ahead", "date_behind", "undisclosed"})
"""Rules that may see who collected a source of phishing, named by --blind."""
_AT_ONCE = 200


def rules_of(path: Path) -> frozenset[str]:
    """The rules of the shipped base that a message matches."""
    book = compile_base(read_base(SHIPPED)).book
    return frozenset(
        name for name, value in book.match(Mail(path.read_bytes())).values.items() if value is True
    )


def read_sources(given: Sequence[str], blind: Sequence[str], most: int) -> list[Source]:
    """The corpus's folders and those that are given, each message matched once."""
    folders = [
        (f"corpus {name}", kind == "spam", _CORPUS / name) for kind in _GROUPS for name in _GROUPS[kind]
    ]
    for text in given:
        kind, _, rest = text.partition(":")
        name, equals, path = rest.rpartition("=")
        if kind not in _GROUPS or not Path(path).exists():
            raise click.BadParameter(f"{text}: must be spam:[NAME=]PATH or ham:[NAME=]PATH")
        folders.append((name if equals else Path(path).name, kind == "spam", Path(path)))
    sources = []
    with Pool() as pool:
        for name, spam, folder in folders:
            paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "cmds")
            paths = spread(paths, most) if most else paths
            found = pool.map(rules_of, paths, chunksize=20)
            sources.append(Source(name, spam, paths, found, _BLIND if name in blind else frozenset()))
    return sources


def share(hits: int, total: int) -> str:
    """A percentage with its interval."""
    low, high = wilson(hits, total)
    return f"{100 * hits / total:5.1f} % [{100 * low:.1f}-{100 * high:.1f}]" if total else "-"


def above(scores: Floats) -> int:
    """How many reach what is required."""
    return int((scores >= REQUIRED).sum())


def print_rotations(sources: Sequence[Source], names: Sequence[str]) -> None:
    """Each source left out of the fit once, and what the others' points make of it."""
    click.echo("\nLeft out of the fit, the points of the others (rules of the base alone):")
    for left in sources:
        points = fit([one for one in sources if one is not left], names)
        said = share(above(totals(left, points)), len(left.rules))
        click.echo(f"  {left.name:<24} {'spam caught' if left.spam else 'ham lost':<12} {said}")


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
        others = {name: value for name, value in points.items() if families[name] != family}
        lost[family] = whole - sum(above(totals(one, others)) for one in spam)
    for family, number in sorted(lost.items(), key=lambda item: -item[1]):
        click.echo(f"  {family:<24} {100 * number / max(1, total):5.1f} % less without it")


def tamis_verdicts(paths: Sequence[Path]) -> Iterator[bool]:
    """What `tamis scan` of this checkout says, with no state, no lessons, and a DNS that does not answer."""
    program = ROOT / ".venv" / "bin" / "tamis"
    with tempfile.TemporaryDirectory(prefix="tamis-dayone-") as made:
        config = Path(made) / "tamis.toml"
        config.write_text(
            f'state_directory = "{made}/state"\nrun_directory = "{made}/run"\n'
            '[platform]\ndomains = ["example.com"]\ndnsbl = []\nrhsbl = []\nuribl = []\n'
            '[policy.filters.knowledge]\nstate = "on"\n[dns]\nservers = ["127.0.0.1:9"]\ndeadline = 0.2\n'
        )
        for at in range(0, len(paths), _AT_ONCE):
            files = [str(path) for path in paths[at : at + _AT_ONCE]]
            done = subprocess.run(
                [program, "--config", config, "scan", "--json", "--rcpt", "marie@example.com", *files],
                capture_output=True,
                text=True,
                check=False,
            )
            lines = done.stdout.splitlines()
            if done.returncode > 2 or len(lines) != len(files):
                sys.exit(f"tamis scan ended with {done.returncode}:\n{done.stderr[-2000:]}")
            for line in lines:
                (recipient,) = json.loads(line)["recipients"]
                yield recipient["verdict"] == "spam"


def print_peers(sources: Sequence[Source]) -> None:
    """Tamis, SpamAssassin and rspamd on the same messages, by content."""
    said: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    with SpamAssassinPeer() as spamassassin, rspamd_peer() as rspamd:
        for one in sources:
            for peer, verdicts in (
                ("tamis", list(tamis_verdicts(one.paths))),
                ("spamassassin", [spamassassin.is_spam(path.read_bytes()) for path in one.paths]),
                ("rspamd", [rspamd.is_spam(path.read_bytes()) for path in one.paths] if rspamd else []),
            ):
                said[one.name][peer] = (sum(verdicts), len(verdicts))
    click.echo("\nThe whole chain beside others, by content, on the same messages:")
    for one in sources:
        click.echo(f"  {one.name} ({'spam caught' if one.spam else 'ham lost'}, {len(one.paths)} messages)")
        for peer, (hits, total) in said[one.name].items():
            if total:
                click.echo(f"    {peer:<14} {share(hits, total)}")


@click.command()
@click.argument("given", nargs=-1, metavar="[spam:[NAME=]PATH | ham:[NAME=]PATH]...")
@click.option(
    "--fit", "write", is_flag=True, help="Fit the points on all sources and write them into the base."
)
@click.option("--rotate", is_flag=True, help="Leave each source out of the fit once.")
@click.option("--peers", is_flag=True, help="The whole chain beside SpamAssassin and rspamd.")
@click.option("--blind", multiple=True, metavar="NAME", help="A source whose collector some rules may see.")
@click.option("--messages", type=click.IntRange(0), default=0, help="So many of each source; 0: all.")
def main(
    given: tuple[str, ...], write: bool, rotate: bool, peers: bool, blind: tuple[str, ...], messages: int
) -> None:
    """Print what is caught and lost on the first day."""
    base = compile_base(read_base(SHIPPED))
    names = [rule.name for rule in base.speaking]
    families = {rule.name: rule.family for rule in base.speaking}
    sources = read_sources(given, blind, messages)
    points = {rule.name: rule.points for rule in base.speaking}
    if write:
        points = fit(sources, names)
        number = sum(len(one.rules) for one in sources)
        ham = sum(not one.spam for one in sources)
        about = f"fitted on {number} messages of {len(sources)} sources, {ham} of them ham"
        (SHIPPED / "points.toml").write_text(points_file(points, about), encoding="utf-8")
        silent = [name for name in names if name not in points]
        click.echo(
            f"{len(points)} rules have points; without effect, and so not to be shipped: {', '.join(silent) or 'none'}"
        )
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
        print_rotations(sources, names)
    if peers:
        print_peers(sources)


if __name__ == "__main__":
    main()
