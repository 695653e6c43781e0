"""`tamis model`: what the statistical filter has learned and what its levels do."""

from __future__ import annotations

<<<<<<< HEAD
import os
import time
from pathlib import Path
=======
>>>>>>> 17895bf (What commands computed stands in the library: today at a glance, what was learned, what rules match, blocked clients; blocks are in the audit trail)
from typing import Any

import click

from tamis.cli.context import Context, fail, json_option
from tamis.cli.terminal import print_json, table
<<<<<<< HEAD
from tamis.models import compiled
from tamis.models.ledger import LEDGER, Ledger
from tamis.models.levels import Levels, Measured
from tamis.models.model_file import Model, ModelError
from tamis.models.reports import Spool
from tamis.models.scale import promise
from tamis.models.shared_place import SharedPlace
from tamis.models.site_model import LEVELS, MODEL
from tamis.settings import Settings
=======
from tamis.models.learned_so_far import model_state
>>>>>>> 17895bf (What commands computed stands in the library: today at a glance, what was learned, what rules match, blocked clients; blocks are in the audit trail)


@click.group()
def model() -> None:
    """The statistical filter's model."""


@model.command()
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show what was learned, and what each level promises and achieves on the site's own recent mail.

    Rates are measured on messages that the model has not learned, with 95 % intervals. PLAUSIBLE is where the share of
    lost ham lies, with 95 % of the plausibility, by the tail that fits the highest scores of ham: with few ham it is
    wide, and the promise is the best estimate.

    "loops" says whether the inner loops are those in C or, where they could not be compiled, numpy's, which give the
    same numbers and take longer.
    """
    about = model_state(context.file.settings)
    if as_json:
        print_json(about)
    else:
        click.echo("\n".join(_lines(about)))


<<<<<<< HEAD
@model.command()
@click.pass_obj
def share(context: Context) -> None:
    """Make this host's model that of all hosts of the store; the others take it over within seconds.

    The first host that teaches shares its model by itself. This is for another choice, or after an upgrade whose
    features are of another version. What other hosts had learned stays in their folder model/before-sharing, once.
    """
    settings = context.file.settings
    with context.store() as store:
        if not store.is_shared:
            fail("the store is this host's alone: hosts share a model on PostgreSQL", os.EX_CONFIG)
        from tamis.installation.teacher import open_shared  # noqa: PLC0415 - numpy is slow to load

        with open_shared(settings, store, joins=False) as teacher:
            teacher.share()
    click.echo("this host's model is that of all hosts now")


def model_state(settings: Settings) -> dict[str, Any]:
    """What `tamis model status --json` prints."""
    folder = settings.model_directory
    ham = spam = corrections = 0
    file: dict[str, Any] | None = None
    try:
        model = Model(folder / MODEL)
        ham, spam = model.learned.ham, model.learned.spam
        corrections = len(model.domains)
        state = (folder / MODEL).stat()
        file = {"path": str(folder / MODEL), "octets": state.st_size, "age": time.time() - state.st_mtime}
    except FileNotFoundError:
        pass
    levels = _levels(folder / LEVELS)
    ledger = Ledger.load(folder / LEDGER)
    needed = settings.learning.minimum
    place = SharedPlace.of(folder)
    return {
        "ham": ham,
        "spam": spam,
        "needed": needed,
        "deciding": min(ham, spam) >= needed and levels is not None,
        "file": file,
        "inner_loops": {"compiled": compiled.used, "why_not": compiled.WHY_NOT},
        "corrections": corrections,
        "shared": {"lineage": place.lineage, "step": place.number} if place else None,
        "levels": [_level(one) for one in levels.measured] if levels else [],
        "waiting": Spool(settings.spool_directory).waiting(),
        "sources": [
            {
                "source": source,
                "reports": len(seen),
                "contradictions": sum(seen),
                "learned": ledger.learned.get(source, 0),
                "dropped": ledger.dropped.get(source, 0),
                "alarm": ledger.alarm(source),
            }
            for source in sorted({*ledger.learned, *ledger.dropped, *ledger.contradictions})
            for seen in [ledger.contradictions.get(source, [])]
        ],
    }


def _levels(path: Path) -> Levels | None:
    try:
        return Levels.load(path)
    except (FileNotFoundError, ModelError):
        return None


def _level(one: Measured) -> dict[str, Any]:
    return {
        "level": one.level,
        "promised": promise(one.level),
        "false_positives": _rate(
            one.false_positives.count, one.false_positives.total, one.false_positives.interval
        ),
        "plausible": one.plausible,
        "caught": _rate(one.caught.count, one.caught.total, one.caught.interval),
    }


def _rate(count: int, total: int, interval: tuple[float, float]) -> dict[str, Any]:
    return {"count": count, "total": total, "low": interval[0], "high": interval[1]}


=======
>>>>>>> 17895bf (What commands computed stands in the library: today at a glance, what was learned, what rules match, blocked clients; blocks are in the audit trail)
def _lines(about: dict[str, Any]) -> list[str]:
    needed = about["needed"]
    lines = [
        f"{name + ':':<8}{min(about[name], needed)} of {needed} learned"
        if about[name] < needed
        else f"{name + ':':<8}{about[name]} learned"
        for name in ("ham", "spam")
    ]
    lines.append("state:  deciding" if about["deciding"] else "state:  in shadow, decides nothing")
    if about["file"]:
        octets, age = about["file"]["octets"], about["file"]["age"]
        lines.append(f"file:   {octets / 1024**2:.1f} MiB, {age / 3600:.1f} h old")
    loops = about["inner_loops"]
    lines.append(f"loops:  {'compiled' if loops['compiled'] else 'numpy, slower: ' + loops['why_not']}")
    if about["corrections"]:
        lines.append(f"domains with a correction of their own: {about['corrections']}")
    if about["shared"]:
        lines.append(f"hosts:  share it; this one has taken step {about['shared']['step']}")
    if about["waiting"]:
        lines.append(f"queue:  {about['waiting']} reports wait")
    if about["levels"]:
        rows = [
            [
                f"{one['level']:g}",
                _share(one["promised"]),
                f"{_share(one['plausible'][0])} to {_share(one['plausible'][1])}"
                if one["plausible"]
                else "-",
                _shown(one["false_positives"]),
                _shown(one["caught"]),
            ]
            for one in about["levels"]
        ]
        total = about["levels"][0]
        lines += [
            "",
            f"Measured on {total['false_positives']['total']} ham and {total['caught']['total']} spam:",
            table(["LEVEL", "HAM LOST: PROMISED", "PLAUSIBLE", "MEASURED", "SPAM CAUGHT"], rows, [0] * 5),
        ]
    for one in about["sources"]:
        alarm = "  ALARM: it contradicts the model too often" if one["alarm"] else ""
        lines.append(
            f"source {one['source']}: {one['learned']} learned, {one['dropped']} dropped, {one['contradictions']} of"
            f" the last {one['reports']} contradict the model{alarm}"
        )
    return lines


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def _shown(rate: dict[str, Any]) -> str:
    share = rate["count"] / rate["total"] if rate["total"] else 0.0
    return f"{_share(share)} ({_share(rate['low'])} to {_share(rate['high'])})"
