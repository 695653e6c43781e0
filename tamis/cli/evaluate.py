"""`tamis evaluate`: the statistical filter measured on labelled mail, as the TREC spam track does."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

from tamis.cli.context import Context, fail, json_option
from tamis.cli.terminal import print_json, printable, progress
from tamis.models.corpora import CorpusError, Place, found, indexed, shuffled
from tamis.models.evaluation import Protocol, Run, run
from tamis.models.features import TABLE_SIZE
from tamis.models.measures import TITLES, Interval, Ranking

_SHOWN_PROBLEMS = 10


class ProtocolType(click.ParamType[Protocol]):
    """What the model may learn of the labels."""

    name = "protocol"

    def convert(
        self, value: str | Protocol, param: click.Parameter | None, ctx: click.Context | None
    ) -> Protocol:
        """As click asks for it."""
        if isinstance(value, Protocol):
            return value
        try:
            return Protocol.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PathsCommand(click.Command):
    """A command whose --ham and --spam take several paths: `--ham A B` is `--ham A --ham B`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click asks for it."""
        spread: list[str] = []
        option, bare = "", False
        for arg in args:
            if arg.startswith("-") and arg != "-":
                spread += [option] if bare else []
                option, bare = (arg, True) if arg in ("--ham", "--spam") else ("", False)
                spread += [] if option else [arg]
            else:
                spread += [option, arg] if option else [arg]
                bare = False
        spread += [option] if bare else []
        return super().parse_args(ctx, spread)


@click.command(cls=PathsCommand)
@json_option
@click.option("--index", type=click.Path(path_type=Path), help="File of 'ham PATH' and 'spam PATH' lines.")
@click.option(
    "--ham",
    multiple=True,
    metavar="PATH...",
    type=click.Path(path_type=Path),
    help="Files, folders, Maildirs or mboxes.",
)
@click.option(
    "--spam", multiple=True, metavar="PATH...", type=click.Path(path_type=Path), help="The same for spam."
)
@click.option("--shuffle", type=int, metavar="SEED", help="Random order [default: as given, ham first].")
@click.option(
    "--protocol",
    type=ProtocolType(),
    default="immediate",
    show_default=True,
    help="immediate, delayed:N, partial:F, noisy:P or freeze:N.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N messages of the stream.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write ROC and learning curves (needs tamis[plots]).",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write each message's result.")
@click.option("--jobs", type=click.IntRange(1), default=lambda: os.cpu_count() or 1, help="Processes.")
@click.option("--chain", is_flag=True, help="The whole chain by this site's policy, counted by folder.")
@click.option(
    "--rcpt", default="", help="With --chain: whose policy counts [default: postmaster of the platform]."
)
@click.pass_context
def evaluate(
    click_context: click.Context,
    as_json: bool,
    index: Path | None,
    ham: tuple[Path, ...],
    spam: tuple[Path, ...],
    shuffle: int | None,
    protocol: Protocol,
    limit: int | None,
    plots: Path | None,
    out: Path | None,
    jobs: int,
    chain: bool,
    rcpt: str,
) -> None:
    """Measure the statistical filter on labelled mail.

    Every message is scored by the model as it is, then the model learns its label, starting from an empty
    model. The site's own model is neither read nor changed. What the measures mean: docs/statistics.md.

    With --chain every filter examines each message, and it is counted how many of each folder the recipient's policy
    takes for spam, with 95 % intervals (Wilson). The site's model has its say; what it has learned is left out and
    counted apart. With --protocol freeze:N as well, a model that is taught the first N messages has its say on the
    rest instead. Lists in the DNS are asked about senders and links as they stand now; the client is not known.
    """
    if plots is not None and find_spec("matplotlib") is None:  # said before minutes of measuring
        fail(
            "--plots needs matplotlib, which is not installed: pip install 'tamis[plots]'", os.EX_UNAVAILABLE
        )
    places = _places(index, ham, spam)
    if shuffle is not None:
        places = shuffled(places, shuffle)
    places = places[:limit]
    if chain:
        if plots or out or protocol.rule not in ("immediate", "freeze"):
            raise click.UsageError("--chain goes with --protocol freeze:N only, without --plots and --out")
        _evaluate_chain(click_context.find_object(Context), places, rcpt, protocol, as_json=as_json)
        return
    result = run(places, protocol, jobs=jobs, progress=progress(len(places)))
    for problem in result.unreadable[:_SHOWN_PROBLEMS]:
        click.echo(f"tamis: left out: {printable(problem)}", err=True)
    if not result.ham or not result.spam:
        fail(
            f"measures need ham and spam; measured were {result.ham} ham and {result.spam} spam"
            f" ({len(result.unreadable)} unreadable)",
            os.EX_DATAERR,
        )
    scores = np.array(result.scores)
    intervals = Ranking(scores, result.labels).intervals()
    if out is not None:
        _write_results(out, result)
    if plots is not None:
        _plot(plots, result)
    about = _report(result, intervals, protocol, shuffle)
    if as_json:
        print_json(about)
    else:
        click.echo("\n".join(_lines(about, intervals)))


def _evaluate_chain(
    context: Context | None, places: Sequence[Place], recipient: str, protocol: Protocol, *, as_json: bool
) -> None:
    from tamis.cli.evaluate_chain import (  # noqa: PLC0415 - all filters, which the model alone doesn't need
        evaluate_chain,
        lines_of_chain,
        report_chain,
    )

    teach = int(protocol.amount) if protocol.rule == "freeze" else 0
    if teach >= len(places):
        fail(f"nothing is left to judge after {teach} lessons of {len(places)}", os.EX_DATAERR)
    told = progress(len(places) - teach)
    about = report_chain(
        evaluate_chain(context or Context(), places, recipient=recipient, teach=teach, progress=told)
    )
    if as_json:
        print_json(about)
    else:
        click.echo("\n".join(lines_of_chain(about)))


def _places(index: Path | None, ham: Sequence[Path], spam: Sequence[Path]) -> list[Place]:
    if (index is None) == (not ham and not spam):
        raise click.UsageError("either --index, or --ham and --spam")
    if index is None and not (ham and spam):
        raise click.UsageError("--ham and --spam are needed both")
    try:
        return indexed(index) if index is not None else found(ham, spam=False) + found(spam, spam=True)
    except CorpusError as error:
        fail(str(error), os.EX_NOINPUT)


def _report(
    result: Run, intervals: dict[str, Interval], protocol: Protocol, seed: int | None
) -> dict[str, Any]:
    times = {
        "parse": result.parse_ms,
        "features": result.features_ms,
        "score": result.score_ms,
        "train": result.train_ms,
    }
    return {
        "protocol": str(protocol),
        "seed": seed,
        "messages": result.ham + result.spam,
        "ham": result.ham,
        "spam": result.spam,
        "unreadable": len(result.unreadable),
        "learned": result.learned,
        "measures": {name: {"value": i.value, "low": i.low, "high": i.high} for name, i in intervals.items()},
        "cpu_ms": {
            name: {"median": statistics.median(t), "mean": statistics.fmean(t)} if t else None
            for name, t in times.items()
        },
        "model_octets": 2 * 4 * TABLE_SIZE,
    }


def _lines(about: dict[str, Any], intervals: dict[str, Interval]) -> list[str]:
    order = "as given" if about["seed"] is None else f"shuffled by {about['seed']}"
    lines = [
        f"{about['messages']} messages ({about['ham']} ham, {about['spam']} spam, {about['unreadable']} unreadable), "
        f"{order}, {about['protocol']}; learned from {about['learned']}",
        "",
        f"{'':<18}{'value':>9}   95 % interval",
    ]
    lines += [
        f"{TITLES[name]:<18}{i.value:>9.4f}   {i.low:.4f} to {i.high:.4f}" for name, i in intervals.items()
    ]
    lines += ["", f"{'CPU ms a message':<18}{'median':>9}{'mean':>9}"]
    lines += [f"{name:<18}{t['median']:>9.3f}{t['mean']:>9.3f}" for name, t in about["cpu_ms"].items() if t]
    return lines


def _write_results(path: Path, result: Run) -> None:
    """One line a message, as the TREC spam filter evaluation toolkit has them: name, judgement, class, score."""
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for place, score in zip(result.places, result.scores, strict=True):
            judge, kind = ("spam" if place.spam else "ham"), ("spam" if score > 0 else "ham")
            file.write(f"{place.name} judge={judge} class={kind} score={score:.6f}\n")


def _plot(folder: Path, result: Run) -> None:
    from tamis.models.plots import plot_learning, plot_roc  # noqa: PLC0415 # matplotlib takes a second to load

    runs = {"Tamis": (np.array(result.scores), result.labels)}
    for file in (*plot_roc(runs, folder), *plot_learning(runs, folder)):
        click.echo(f"wrote {file}", err=True)
