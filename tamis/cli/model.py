"""`tamis model`: what the statistical filter has learned and what its levels do."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import click

from tamis.cli.context import Context, fail, json_option
from tamis.cli.terminal import print_json, table
from tamis.models.learned_so_far import model_state


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

    "taken back" are lessons of ham that nobody looked at, from a domain of whose mail too much was spam to a model that
    was not taught it: perhaps somebody who answered challenges in order to teach it.

    "loops" says whether the inner loops are those in C or, where they could not be compiled, numpy's, which give the
    same numbers and take longer.
    """
    about = context.remote.learning() if context.remote else model_state(context.file.settings)
    if as_json:
        print_json(about)
    else:
        click.echo("\n".join(_lines(about)))


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


def _lines(about: dict[str, Any]) -> list[str]:
    needed = about["needed"]
    lines = [
        f"{name + ':':<8}{min(about[name], needed)} of {needed} learned"
        if about[name] < needed
        else f"{name + ':':<8}{about[name]} learned"
        for name in ("ham", "spam")
    ]
    lines.append("state:  deciding" if about["deciding"] else "state:  in shadow, decides nothing")
    if about.get("file"):
        octets, age = about["file"]["octets"], about["file"]["age"]
        lines.append(f"file:   {octets / 1024**2:.1f} MiB, {age / 3600:.1f} h old")
    if loops := about.get("inner_loops"):  # of this machine alone
        lines.append(f"loops:  {'compiled' if loops['compiled'] else 'numpy, slower: ' + loops['why_not']}")
    if about["corrections"]:
        lines.append(f"domains with a correction of their own: {about['corrections']}")
    if about.get("shared"):
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
    if about.get("unproven"):
        lines.append(f"hardly any ham learned, so never decided by it alone: {', '.join(about['unproven'])}")
    for one in about["taken_back"]:
        lines.append(
            f"taken back: {one['lessons']} lessons of ham that {one['stranger'] or 'an unknown domain'} answered for, "
            f"{datetime.fromtimestamp(one['at'], UTC):%Y-%m-%d}: {one['against']} of {one['measured']} were spam to a"
            " model without them"
        )
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
