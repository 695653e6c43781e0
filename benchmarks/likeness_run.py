"""How many messages are nearly the same as others (see benchmarks/likeness)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import click

from tamis.cli.messages import read_messages
from tamis.filters.message_likeness import ENTRANCES
from tamis.message.domains import registered_domain
from tamis.message.mail import Mail
from tamis.message.mail.checksums import checksum
from tamis.message.mail.likeness import ALIKE, Sketch, likeness, sketch_of

_TOGETHER = 400
"""Messages of one entrance whose pairs are looked at: the figures of larger ones would be the square of them."""


@dataclass(frozen=True, slots=True)
class One:
    """What is compared of a message."""

    author: str
    domain: str
    exact: str
    sketch: Sketch | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one folder; pairs are of messages that are alike."""

    folder: str
    messages: int
    compared: int
    same: int
    alike: int
    pairs: int
    other_address: int
    other_domain: int
    alike_to_other_domain: int


def look(octets: bytes) -> One:
    """One message."""
    mail = Mail(octets)
    author = mail.from_addresses[0].address.lower() if mail.from_addresses else ""
    domain = author.rpartition("@")[2]
    return One(author, registered_domain(domain) if domain else "", checksum(mail), sketch_of(mail))


def pairs(found: Sequence[One], least: float) -> Iterator[tuple[int, int]]:
    """The messages that are alike, as the filter finds them: by a shared entrance, then by their sketches."""
    entered: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(found):
        for entrance in one.sketch.runs.smallest[:ENTRANCES] if one.sketch else ():
            entered[entrance].append(number)
    tried = {pair for some in entered.values() for pair in combinations(some[:_TOGETHER], 2)}
    return ((one, other) for one, other in tried if likeness(found[one].sketch, found[other].sketch) >= least)


def figures(folder: Path, least: float) -> Figures:
    """Those of one folder."""
    found = [look(octets) for _, octets in read_messages(str(folder))]
    compared = [one for one in found if one.sketch is not None]
    times = Counter(one.exact for one in compared)
    alike = list(pairs(compared, least))
    foreign = [(a, b) for a, b in alike if compared[a].domain != compared[b].domain]
    return Figures(
        str(folder),
        len(found),
        len(compared),
        sum(number for number in times.values() if number > 1),
        len({number for pair in alike for number in pair}),
        len(alike),
        sum(compared[a].author != compared[b].author for a, b in alike),
        len(foreign),
        len({number for pair in foreign for number in pair}),
    )


@click.command()
@click.argument("folders", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.option("--least", type=click.FloatRange(0, 1), default=ALIKE, show_default=True, help="Likeness.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(folders: tuple[Path, ...], least: float, as_json: bool) -> None:
    """Print the figures of each folder."""
    found = [figures(folder, least) for folder in folders]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        click.echo(
            f"{one.folder}: {one.messages} messages, {one.compared} compared; {one.same} the same as another,"
            f" {one.alike} alike ({one.alike_to_other_domain} to one of another domain); {one.pairs} pairs,"
            f" {one.other_address} of other addresses, {one.other_domain} of other domains"
        )


if __name__ == "__main__":
    main()
