"""`tamis compare`: where our verdicts and those of another filter, which saw the mail before us, differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from tamis.cli.context import Context, json_option
from tamis.cli.history import narrow
from tamis.cli.parameters import PAST, SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.database.history import Compared
from tamis.database.history_search import Wanted

_THEIRS = {True: "spam", False: "ham", None: "unclear"}
_OURS = ("ham", "spam", "defer")


@dataclass(slots=True)
class Comparison:
    """Copies by our verdict and theirs; who decided where they differ, and the newest of these."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    deciding: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(ours, theirs, filter that decided) -> copies, where both say something and it is not the same."""
    examples: list[Compared] = field(default_factory=list)

    def add(self, one: Compared, most: int) -> None:
        """Count a copy, and keep it as an example where the two differ."""
        theirs = _THEIRS[one.other.spam]
        ours = one.told.decision
        self.counts[ours, theirs] += 1
        if theirs != "unclear" and theirs != ours:
            self.deciding[ours, theirs, one.told.decided_by or "score"] += 1
            if len(self.examples) < most:
                self.examples.append(one)

    @property
    def copies(self) -> int:
        """All that were compared."""
        return self.counts.total()

    @property
    def different(self) -> int:
        """Those of which the two say different things."""
        return self.deciding.total()


@click.command()
@click.option("--for", "scope", type=SCOPE, help="Only for this domain or mailbox.")
@click.option("--since", type=PAST, help="Only since then: a span like 7d, or a date.")
@click.option(
    "--examples",
    type=click.IntRange(0, 1000),
    default=20,
    show_default=True,
    help="At most this many, newest first.",
)
@json_option
@click.pass_obj
def compare(
    context: Context, scope: str | None, since: datetime | None, examples: int, as_json: bool
) -> None:
    """Compare our verdicts with those of another filter that saw the mail before us.

    What it said is recorded where `history.other_filter` names it (docs/observe.md).
    """
    found = Comparison()
    with context.store() as store:
        for one in store.history.compared(Wanted(narrow(scope), since=since)):
            found.add(one, examples)
    if as_json:
        print_json(_plain(found))
        return
    if not found.copies:
        click.echo(
            "Nothing to compare: no message of the history has another filter's verdict. "
            "history.other_filter says whose header fields are read."
        )
        return
    for line in _lines(found):
        click.echo(printable(line) if "\n" not in line else line)


def _lines(found: Comparison) -> Iterator[str]:
    theirs = [one for one in _THEIRS.values() if any(found.counts[ours, one] for ours in _OURS)]
    rows = [
        [f"Tamis: {ours}", *(str(found.counts[ours, one]) for one in theirs)]
        for ours in _OURS
        if any(found.counts[ours, one] for one in theirs)
    ]
    heads = ["", *(f"other: {one}" for one in theirs)]
    yield table(heads, rows, [0] * len(heads))
    share = 100 * found.different / found.copies
    yield f"{found.copies} copies, {found.different} of them judged differently ({share:.1f} %)"
    if not found.different:
        return
    yield ""
    deciding = [[ours, one, by, str(number)] for (ours, one, by), number in found.deciding.most_common()]
    yield table(["TAMIS", "OTHER", "DECIDED BY", "COPIES"], deciding, [0, 0, 0, 0])
    for one in found.examples:
        yield ""
        yield f"{one.message}  {one.at:%Y-%m-%d %H:%M:%S}  {one.sender or '<>'} -> {one.recipient}"
        by = f" by {one.told.decided_by}: {one.told.because}" if one.told.decided_by else ""
        yield f"    Tamis: {one.told.decision}, {one.told.score:.1f} of {one.told.required:.1f}{by}"
        yield f"    {one.other.by}: {one.other.told()}"
    if found.examples:
        yield "\n`tamis history show ID` tells more of each."


def _plain(found: Comparison) -> dict[str, Any]:
    return {
        "copies": found.copies,
        "different": found.different,
        "counts": [
            {"tamis": ours, "other": theirs, "copies": number}
            for (ours, theirs), number in sorted(found.counts.items())
        ],
        "decided_by": [
            {"tamis": ours, "other": theirs, "filter": by, "copies": number}
            for (ours, theirs, by), number in found.deciding.most_common()
        ],
        "examples": [
            {
                "id": one.message,
                "at": one.at.isoformat(),
                "sender": one.sender,
                "recipient": one.recipient,
                "tamis": {
                    "decision": one.told.decision,
                    "outcome": one.told.outcome,
                    "observed": one.told.observed,
                    "decided_by": one.told.decided_by,
                    "because": one.told.because,
                    "score": one.told.score,
                    "required": one.told.required,
                },
                "other": {
                    "by": one.other.by,
                    "spam": one.other.spam,
                    "score": one.other.score,
                    "required": one.other.required,
                    "tests": one.other.tests,
                },
            }
            for one in found.examples
        ],
    }
