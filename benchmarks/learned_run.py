"""The table of what is caught and lost after so many lessons (see benchmarks/learned)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks.learned_chain import peers, untrained
from benchmarks.learned_streams import Source, Split, by_time, mixed, split
from benchmarks.measuring import ROOT, spread
from tamis.contract.filter import Effect
from tamis.filters.statistics import Statistics, StatisticsOptions
from tamis.models.corpora import Place, found, shuffled
from tamis.models.evaluation import stream as features_of
from tamis.models.features import Features
from tamis.models.folds import sent_by
from tamis.models.header_tokens import Home
from tamis.models.kinds import kind_of
from tamis.models.levels import Levels, Rate
from tamis.models.reports import message_id
from tamis.models.site_model import LEVELS
from tamis.models.teaching import Teacher
from tests.models.test_first_week import DAYS, a_week

REQUIRED = 7.5
_CORPUS = ROOT / "corpus" / "spamassassin"
_GROUPS = {"ham": ("easy-ham-1", "easy-ham-2", "hard-ham-1"), "spam": ("spam-1", "spam-2")}
_LESSONS = ("200+200", "500+500", "1000+1000", "800+2200", "3000+300", "5000+5000")
_OPTIONS = StatisticsOptions(effect=Effect.SCORE)
_DELAY, _MOVED = 100, 0.3
"""Messages until a user moves one, and the share of wrong ones that users move at all."""
_A_DAY = 170
"""Messages a day of the week that nobody teaches."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Messages with their labels, the model's log-odds and S27's points."""

    spam: np.ndarray[tuple[int], np.dtype[np.bool_]]
    log_odds: np.ndarray[tuple[int], np.dtype[np.float64]]
    points: np.ndarray[tuple[int], np.dtype[np.float64]]
    kinds: list[str]


class Site:
    """A site that is taught, and says what it makes of messages."""

    def __init__(self, folder: Path, features: dict[Place, Features]) -> None:
        self._features = features
        self._teacher = Teacher(folder, minimum=50)
        levels = folder / LEVELS
        self.levels: Levels | None = Levels.load(levels) if levels.exists() else None

    @property
    def learned(self) -> tuple[int, int]:
        """Ham and spam."""
        return self._teacher.learned

    def teach(self, places: Sequence[Place]) -> None:
        """Learn, and measure the levels where that is due."""
        for place in places:
            mail, features = place.read(), self._features[place]
            sender = sent_by(mail, Home())
            self._teacher.teach(message_id(mail), features, spam=place.spam, sender=sender)
        if self._teacher.measuring_due():
            self.levels = self._teacher.measure() or self.levels

    def judge(self, places: Sequence[Place]) -> Judged:
        """At the default level."""
        log_odds = [self._teacher.score(self._features[place]) for place in places]
        kinds = [str(kind_of(self._features[place])) for place in places]
        familiar = [self._teacher.familiarity(self._features[place]) for place in places]
        points = [self._points(*each) for each in zip(log_odds, kinds, familiar, strict=True)]
        return Judged(np.array([place.spam for place in places]), np.array(log_odds), np.array(points), kinds)

    def _points(self, score: float, kind: str, familiar: float) -> float:
        if self.levels is None:
            return 0.0
        number = self.levels.number(score, kind, familiar)
        facts = {
            "number": number,
            "probability": 0.5,
            "steepness": self.levels.steepness,
            "unproven": kind in self.levels.unproven,
        }
        one = Statistics()
        finding = one.hit("", **facts)
        return one.judge(finding, _OPTIONS, ("marie@example.com",)).points

    def close(self) -> None:
        """Let go of the folder."""
        self._teacher.close()


def rate(hits: int, total: int, digits: int = 1) -> str:
    """A percentage with its interval."""
    low, high = Rate(hits, total).interval
    return f"{100 * hits / max(1, total):.{digits}f} [{100 * low:.{digits}f}-{100 * high:.{digits}f}]"


def row(
    name: str,
    says_spam: np.ndarray[tuple[int], np.dtype[np.bool_]],
    spam: np.ndarray[tuple[int], np.dtype[np.bool_]],
    more: str = "",
) -> str:
    """One line of the table."""
    caught, lost = int(says_spam[spam].sum()), int(says_spam[~spam].sum())
    return f"| {name} | {rate(caught, int(spam.sum()))} | {rate(lost, int((~spam).sum()), 2)} | {more} |"


def without_loss(judged: Judged) -> float:
    """The share of spam above every ham, in percent: what the ranking allows."""
    return 100 * float(np.mean(judged.log_odds[judged.spam] > judged.log_odds[~judged.spam].max()))


def by_kind(judged: Judged) -> str:
    """Ham lost by kind, where any is."""
    kinds = np.array(judged.kinds)
    lost = (judged.points >= REQUIRED) & ~judged.spam
    told = [
        f"{kind} {int(lost[kinds == kind].sum())} of {int((~judged.spam)[kinds == kind].sum())}"
        for kind in sorted(set(kinds[lost].tolist()))
    ]
    return ", ".join(told)


def measure(one: Split, features: dict[Place, Features], *, moves: bool) -> Iterator[tuple[str, Judged]]:
    """Taught and frozen; with `moves` also with what users move, some time after it came."""
    with tempfile.TemporaryDirectory(prefix="tamis-learned-") as folder:
        site = Site(Path(folder), features)
        site.teach(one.lessons)
        yield "S27", site.judge(one.after)
        if moves:
            drawn = np.random.default_rng(7)
            parts: list[Judged] = []
            for at in range(0, len(one.after), _DELAY):
                block = one.after[at : at + _DELAY]
                judged = site.judge(block)
                parts.append(judged)
                wrong = (judged.points >= REQUIRED) != judged.spam
                moved = wrong & (drawn.random(len(block)) < _MOVED)
                site.teach([place for place, is_moved in zip(block, moved.tolist(), strict=True) if is_moved])
            yield "S27, users move", _joined(parts)
        site.close()


def _joined(parts: Sequence[Judged]) -> Judged:
    return Judged(
        np.concatenate([one.spam for one in parts]),
        np.concatenate([one.log_odds for one in parts]),
        np.concatenate([one.points for one in parts]),
        [kind for one in parts for kind in one.kinds],
    )


def sources_of(given: Sequence[str]) -> tuple[list[Source], list[Source]]:
    """The corpus, and what is given."""
    corpus: list[Source] = [
        (
            name,
            [place for place in found([_CORPUS / name], spam=kind == "spam") if place.path.suffix == ".txt"],
        )
        for kind, names in _GROUPS.items()
        for name in names
    ]
    mail: list[Source] = []
    for text in given:
        kind, _, rest = text.partition(":")
        name, equals, path = rest.rpartition("=")
        if kind not in _GROUPS or not Path(path).exists():
            raise click.BadParameter(f"{text}: must be spam:[NAME=]PATH or ham:[NAME=]PATH")
        mail.append((name if equals else Path(path).name, found([Path(path)], spam=kind == "spam")))
    return corpus, mail


@click.command()
@click.option(
    "--mail", "given", multiple=True, metavar="ham|spam:[NAME=]PATH", help="Mail of your own, one source."
)
@click.option(
    "--lessons", multiple=True, default=_LESSONS, show_default=True, help="Ham and spam that are taught."
)
@click.option(
    "--seed", "seeds", multiple=True, type=int, default=(0,), help="Mixes with sources thinned by this seed."
)
@click.option(
    "--messages", type=click.IntRange(1), default=400, show_default=True, help="Messages for chain and peers."
)
@click.option(
    "--only", multiple=True, metavar="STREAM", help='Streams by the beginning of their name, e.g. "mix".'
)
@click.option("--moves", is_flag=True, help="Also with reports of only what users move.")
@click.option("--chain", is_flag=True, help="The whole chain, learned beside untrained.")
@click.option(
    "--week", is_flag=True, help="Also a week of the corpus that nobody teaches, and with poisoners."
)
@click.option("--peers", "with_peers", is_flag=True, help="Beside SpamAssassin and rspamd, taught the same.")
def main(
    given: tuple[str, ...],
    lessons: tuple[str, ...],
    seeds: tuple[int, ...],
    messages: int,
    only: tuple[str, ...],
    moves: bool,
    chain: bool,
    week: bool,
    with_peers: bool,
) -> None:
    """Print what is caught and lost after so many lessons."""
    corpus, mail = sources_of(given)
    if week:
        print_week(shuffled([place for _, places in corpus for place in places], 2))
    streams = {"corpus, by time": by_time(corpus)}
    if mail:
        streams["given, by time"] = by_time(mail)
        streams |= {f"mix {seed}": mixed([*corpus, *mail], seed) for seed in seeds}
    streams = {name: one for name, one in streams.items() if not only or name.startswith(only)}
    places = sorted({place for stream in streams.values() for place in stream}, key=lambda one: one.name)
    features = {
        place: one.features for place, one in zip(places, features_of(places, 2), strict=True) if one.features
    }
    for name, stream in streams.items():
        known = [place for place in stream if place in features]
        for number in lessons:
            ham, _, spam = number.partition("+")
            one = split(known, int(ham), int(spam))
            if one is None:
                continue
            click.echo(
                f"\n{name}, {number} lessons, then {sum(not p.spam for p in one.after)} ham and "
                f"{sum(p.spam for p in one.after)} spam\n\n| | caught % | ham lost % | |\n|---|---|---|---|"
            )
            for title, judged in measure(one, features, moves=moves):
                told = f"above every ham: {without_loss(judged):.1f} %"
                lost = by_kind(judged)
                told += f"; lost: {lost}" if lost else ""
                click.echo(row(title, judged.points >= REQUIRED, judged.spam, told))
            if chain or with_peers:
                print_others(one, features, messages, chain=chain, with_peers=with_peers)


def print_others(
    one: Split, features: dict[Place, Features], messages: int, *, chain: bool, with_peers: bool
) -> None:
    """The same for some messages of the stream: S27, the chain, the peers."""
    some = spread(one.after, messages)
    spam = np.array([place.spam for place in some])
    click.echo(f"| *of these, {len(some)}* | | | |")
    with tempfile.TemporaryDirectory(prefix="tamis-learned-") as folder:
        site = Site(Path(folder), features)
        site.teach(one.lessons)
        points = site.judge(some).points
        site.close()
    click.echo(row("S27", points >= REQUIRED, spam))
    if chain:
        told = list(untrained([place.path for place in some]))
        others = np.array([each.points for each in told])
        alone = np.array([each.spam for each in told])
        click.echo(row("chain, untrained", (others >= REQUIRED) | alone, spam))
        click.echo(row("chain, learned", (others + points >= REQUIRED) | alone, spam))
    if with_peers:
        with peers(one.lessons) as asked:
            for title, peer in asked.items():
                verdicts = np.array([peer.is_spam(place.read().raw) for place in some])
                click.echo(row(f"{title} with Bayes", verdicts, spam))


def print_week(places: list[Place]) -> None:
    """A week of which only what is sure by other evidence is learned, then the mail after it."""
    after = places[DAYS * _A_DAY :]
    features = {
        place: one.features for place, one in zip(after, features_of(after, 2), strict=True) if one.features
    }
    for poisoners, addresses in ((0, 2), (1, 2), (3, 2), (3, 5), (6, 5)):
        with tempfile.TemporaryDirectory(prefix="tamis-learned-") as folder:
            settings = a_week(Path(folder), places, a_day=_A_DAY, poisoners=poisoners, addresses=addresses)
            site = Site(settings.model_directory, features)
            ham, spam = site.learned
            name = f"a week that nobody teaches, with {poisoners} poisoners of {addresses} addresses each"
            click.echo(
                f"\n{name}: {ham} ham and {spam} spam learned\n\n| | caught % | ham lost % | |\n|---|---|---|---|"
            )
            judged = site.judge(after)
            click.echo(row("S27", judged.points >= REQUIRED, judged.spam, by_kind(judged)))
            site.close()


if __name__ == "__main__":
    main()
