"""Another checkout's features beside this one's, and a model of one asked about the other (benchmarks/features)."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from benchmarks.learned_run import REQUIRED, Judged, Site, row, sources_of
from benchmarks.learned_streams import by_time, split
from benchmarks.measuring import ROOT
from tamis.models.corpora import Place
from tamis.models.features import Features
from tamis.models.learner import Learner
from tamis.models.measures import Ranking

_PROGRAM = Path(__file__).with_name("features_one.py")
Read = Mapping[Place, Features]


def read_by(checkout: Path, places: Sequence[Place]) -> dict[Place, Features]:
    """The features that a checkout reads; raises CalledProcessError where it fails."""
    done = subprocess.run(
        [checkout / ".venv/bin/python", _PROGRAM],
        input="".join(f"{place.path}\n" for place in places).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
    )
    told = io.BytesIO(done.stdout)
    features: dict[Place, Features] = {}
    for place in places:
        piece = io.BytesIO(told.read(int(told.readline())))
        indices, counts = (np.load(piece, allow_pickle=False) for _ in range(2))
        features[place] = Features(indices, counts)
    return features


def differing(before: Read, after: Read) -> str:
    """How much of what is read differs."""
    shares = []
    for place, old in before.items():
        same = np.intersect1d(old.indices, after[place].indices, assume_unique=True).size
        every = np.union1d(old.indices, after[place].indices).size
        shares.append(1 - same / every)
    some = np.array([share for share in shares if share])
    return (
        f"{some.size} of {len(shares)} messages have other features: at the median {np.median(some):.1%} of theirs "
        f"differ, in one in ten {np.quantile(some, 0.9):.1%} or more, at most {some.max():.1%}; "
        f"of all {np.mean(shares):.2%}"
        if some.size
        else f"0 of {len(shares)} messages have other features"
    )


def online(stream: Sequence[Place], taught: Read, asked: Read) -> str:
    """Each message scored by what was learned of all before it, and then learned."""
    learner = Learner()
    scores = []
    for place in stream:
        scores.append(learner.score(asked[place]).log_odds)
        learner.learn(taught[place], spam=place.spam)
    spam = np.array([place.spam for place in stream])
    found = Ranking(np.array(scores), spam).measures()
    assert found is not None
    return f"{found.roca:.4f} | {found.sm_at_hm_01:.2f} | {found.sm_at_hm_1:.2f}"


def judged(lessons: Sequence[Place], after: Sequence[Place], taught: Read, asked: Read) -> Judged:
    """What a site that was taught the lessons makes of what comes after."""
    with tempfile.TemporaryDirectory(prefix="tamis-features-") as folder:
        features = {**{place: taught[place] for place in lessons}, **{place: asked[place] for place in after}}
        site = Site(Path(folder), features)
        site.teach(lessons)
        found = site.judge(after)
        site.close()
    return found


@click.command()
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--lessons", multiple=True, default=("200+200", "500+500", "1000+1000"), show_default=True)
def main(checkout: Path, lessons: tuple[str, ...]) -> None:
    """Read with both, teach, compare."""
    stream = by_time(sources_of(())[0])
    before, after = (read_by(one, stream) for one in (checkout.resolve(), ROOT))
    click.echo(f"{differing(before, after)}\n")
    ways = {
        "theirs": (before, before),
        "ours": (after, after),
        "taught with theirs, asked about ours": (before, after),
    }
    click.echo("| features | (1-ROCA)% | sm% at hm 0.1% | sm% at hm 1% |\n|---|---|---|---|")
    for name, (taught, asked) in ways.items():
        click.echo(f"| {name} | {online(stream, taught, asked)} |")
    for number in lessons:
        ham, _, spam = number.partition("+")
        one = split(stream, int(ham), int(spam))
        if one is None:
            continue
        click.echo(
            f"\n{number} lessons\n\n| features | caught % | ham lost % | (1-ROCA)% |\n|---|---|---|---|"
        )
        for name, (taught, asked) in ways.items():
            found = judged(one.lessons, one.after, taught, asked)
            measured = Ranking(found.log_odds, found.spam).measures()
            assert measured is not None
            click.echo(row(name, found.points >= REQUIRED, found.spam, f"{measured.roca:.4f}"))


if __name__ == "__main__":
    main()
