"""`tamis filters`: the chain as it stands under a policy."""

from __future__ import annotations

import inspect
import json
from typing import Any

import click

from tamis.base.errors import ConfigError, nearest_name
from tamis.chain.registry import load_filters
from tamis.cli.context import Context
from tamis.contract.filter import Filter
from tamis.contract.service_protocols import NAMES as SERVICES
from tamis.judging.policy import PolicyBook
from tamis.message.address import PLATFORM


@click.command()
@click.option(
    "--scope", default=PLATFORM, help="Domain or mailbox whose policy is shown (default: platform)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every option and its help.")
@click.argument("name", required=False)
@click.pass_obj
def filters(context: Context, scope: str, as_json: bool, name: str | None) -> None:
    """List the chain in order, or show one filter's manual page."""
    chain = load_filters()
    book = PolicyBook(chain, context.file.layers, source=context.file.source)
    shown = book.show("" if scope == PLATFORM else scope if "@" in scope else f"@{scope}")
    rows = [describe(one, shown) for one in chain]
    if name is not None:
        wanted = [row for row in rows if name in (row["name"], row["id"])]
        if not wanted:
            names = [row["name"] for row in rows]
            raise ConfigError("filters", name, "no such filter", nearest=nearest_name(name, names))
        rows = wanted
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif name is not None:
        click.echo("\n".join(manual(rows[0])))
    else:
        click.echo(f"{'id':<5}{'name':<26}{'kind':<8}{'stage':<9}{'state':<8}summary")
        for row in rows:
            click.echo(
                f"{row['id']:<5}{row['name']:<26}{row['kind']:<8}{row['stage']:<9}{row['state']:<8}{row['summary']}"
            )


def describe(one: Filter[Any], shown: dict[str, Any]) -> dict[str, Any]:
    """One filter as plain data; `shown` is PolicyBook.show of the policy in question."""
    values = {key: shown[f"filters.{one.name}.{key}"] for key in one.options.model_fields}
    return {
        "id": one.spec_id,
        "name": one.name,
        "kind": str(one.effect),
        "stage": one.stage.name.lower(),
        "state": values["state"][0],
        "switchable": one.switchable,
        "expensive": one.expensive,
        "asks": list(one.asks),
        "plain_reason": one.plain_reason,
        "forbids_challenge": one.forbids_challenge,
        "summary": one.summary,
        "manual": inspect.getdoc(one) or "",
        "options": {
            key: {"value": values[key][0], "set_by": values[key][1], "help": field.description}
            for key, field in one.options.model_fields.items()
        },
    }


def manual(row: dict[str, Any]) -> list[str]:
    """A filter's manual page as lines of text."""
    lines = [f"{row['id']} {row['name']}: {row['summary']}", "", *row["manual"].splitlines(), ""]
    if row["asks"]:
        lines += [f"Asks: {', '.join(SERVICES[name] for name in row['asks'])}.", ""]
    if row["plain_reason"]:
        lines += [f"People read: {row['plain_reason']}.", ""]
    if row["forbids_challenge"]:
        lines += [f"A reason not to ask the sender to confirm a message: {row['forbids_challenge']}.", ""]
    lines.append("Options:")
    for key, option in row["options"].items():
        lines.append(f"  {key} = {json.dumps(option['value'])} ({option['set_by']})")
        lines.append(f"      {option['help']}")
    return lines
