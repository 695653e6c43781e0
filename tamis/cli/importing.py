"""`tamis import`: what another filter's configuration becomes here. Nothing is changed without --apply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tamis.base.shared_files import write_text
from tamis.cli.context import AT_ONCE, Context, by_option, json_option
from tamis.cli.parameters import OWN_SCOPE
from tamis.cli.terminal import print_json, printable
from tamis.contract.breadth import SENTENCES, breadth
from tamis.database.overrides import checker
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.checking import setting_check
from tamis.importing.gathering import Gathering
from tamis.importing.written import entry_lines, report_lines, rule_file, settings_fragment
from tamis.judging.stored_policy import Override
from tamis.knowledge import compile_base
from tamis.message.address import PLATFORM
from tamis.rules import RuleSource
from tamis.rules.rule_file import compile_book

FRAGMENT, RULES, ENTRIES, REPORT = "tamis.toml", "rules.toml", "lists.jsonl", "report.txt"
"""What --to writes."""

_scope = click.option(
    "--scope", type=OWN_SCOPE, default=PLATFORM, show_default=True, help='"platform", a domain or a mailbox.'
)
_to = click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Write {FRAGMENT}, {RULES}, {ENTRIES} and {REPORT} into this folder, to look at.",
)
_apply = click.option(
    "--apply", "applied", is_flag=True, help="Enter the list entries and the policy settings into the store."
)
_yes = click.option(
    "--yes", is_flag=True, help="With --apply, also enter entries that cover very many or our own domains."
)


@click.group("import")
def import_() -> None:
    """Take over the configuration of SpamAssassin, rspamd or Proxmox Mail Gateway.

    Prints what became of every line. Nothing is changed without --apply, and the settings file and the rules never
    are: what belongs there is written with --to.
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (json_option, by_option, _yes, _apply, _to):
        command = option(command)
    return command


@import_.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False)
)
@_scope
@_options
@click.pass_obj
def spamassassin(context: Context, /, files: tuple[Path, ...], scope: str, **given: Any) -> None:
    """Read SpamAssassin's FILEs (local.cf, *.cf, user_prefs), in the order in which it reads them."""
    from tamis.importing.spamassassin_conf import read_spamassassin  # noqa: PLC0415 # only this command needs it

    gathered = _gathering(context, scope)
    read_spamassassin(files, gathered, ReadingBudget())
    _finish(context, gathered, " ".join(map(str, files)), **given)


@import_.command()
@click.argument(
    "folder_read", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@_options
@click.pass_obj
def rspamd(context: Context, /, folder_read: Path, **given: Any) -> None:
    """Read rspamd's FOLDER (/etc/rspamd): local.d, override.d, rspamd.conf.local, and the maps that they name."""
    from tamis.importing.rspamd_conf import read_rspamd  # noqa: PLC0415 # only this command needs it

    gathered = _gathering(context)
    read_rspamd(folder_read, gathered, ReadingBudget())
    _finish(context, gathered, str(folder_read), **given)


@import_.command()
@click.argument("source", metavar="BACKUP|FOLDER|FILE.sql", type=click.Path(path_type=Path, exists=True))
@_options
@click.pass_obj
def pmg(context: Context, /, source: Path, **given: Any) -> None:
    """Read Proxmox Mail Gateway's backup (pmgbackup), /etc/pmg, or a dump of its rule database."""
    from tamis.importing.pmg_rules import read_pmg  # noqa: PLC0415 # only this command needs it

    gathered = _gathering(context)
    read_pmg(source, gathered, ReadingBudget())
    _finish(context, gathered, str(source), **given)


def _gathering(context: Context, scope: str = PLATFORM) -> Gathering:
    names = frozenset(one.name for one in context.filters)
    return Gathering(setting_check(context.filters), names, scope)


def _finish(
    context: Context,
    gathered: Gathering,
    source: str,
    *,
    folder: Path | None,
    applied: bool,
    yes: bool,
    by: str,
    as_json: bool,
) -> None:
    """SettingCheck the whole, write it, apply it, tell it."""
    rules = rule_file(gathered, source)
    tables = compile_base(context.file.knowledge).book.tables
    compile_book((RuleSource(RULES, rules),), frozenset(one.name for one in context.filters), tables)
    written = _write(gathered, source, rules, folder) if folder else []
    done = _enter(context, gathered, by=by, yes=yes) if applied else {}
    if as_json:
        print_json(_plain(gathered, written, done))
        return
    for line in report_lines(gathered):
        click.echo(printable(line) if line.strip() else "")
    for path in written:
        click.echo(f"written: {path}")
    for line in _told(gathered, done, applied=applied):
        click.echo(printable(line))


def _write(gathered: Gathering, source: str, rules: str, folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    rules_file = (folder / RULES).absolute()
    texts = {
        FRAGMENT: settings_fragment(gathered, source, rules_file=str(rules_file)),
        RULES: rules,
        ENTRIES: entry_lines(gathered),
        REPORT: "\n".join([*map(printable, report_lines(gathered)), ""]),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [str(folder / name) for name in texts]


def _enter(context: Context, gathered: Gathering, *, by: str, yes: bool) -> dict[str, Any]:
    """Enter entries and policy into the store; those that cover too many only where they are meant."""
    own = context.file.settings.platform.domains
    entries = [replace(one, author=by) for one in gathered.entries.values()]
    broad = {
        one.pattern: SENTENCES[found]
        for one in entries
        if not yes and (found := breadth(one.subject, one.pattern, own, one.scope))
    }
    check = checker(context.file, context.filters)
    with context.store() as store:
        added = store.lists.add(one for one in entries if one.pattern not in broad)
        policy = [Override(scope, *one) for scope, keys in gathered.policy.items() for one in keys.items()]
        store.overrides.change(policy, by=by, check=check, note="import")
    return {
        "new": added.new,
        "merged": added.merged,
        "replaced": len(added.replaced),
        "policy": sum(map(len, gathered.policy.values())),
        "left_out": broad,
    }


def _told(gathered: Gathering, done: dict[str, Any], *, applied: bool) -> list[str]:
    lines = []
    if applied:
        lines.append(
            f"entered: {done['new']} list entries, {done['merged']} brought up to date, "
            f"{done['policy']} policy settings. {AT_ONCE}"
        )
        lines += [f"not entered: {one}: {why} (--yes enters it)" for one, why in done["left_out"].items()]
    else:
        lines.append(
            "Nothing was changed. --to FOLDER writes it down, --apply enters list entries and policy."
        )
    if gathered.settings or gathered.rules:
        lines.append("Settings outside policy, and rules, are yours to put into place: --to writes both.")
    return lines


def _plain(gathered: Gathering, written: list[str], done: dict[str, Any]) -> dict[str, Any]:
    return {
        "lines": [
            {"place": one.line.place, "text": one.line.text, "fate": str(one.fate), "told": one.told}
            for one in gathered.accounts
        ],
        "count": {
            str(fate): number for fate, number in Counter(one.fate for one in gathered.accounts).items()
        },
        "settings": gathered.settings,
        "policy": gathered.policy,
        "rules": [
            {"name": name} | {key: value for key, value in keys.items() if not key.startswith("_")}
            for name, keys in gathered.rules.items()
        ],
        "entries": [
            {
                "scope": one.scope,
                "colour": str(one.colour),
                "subject": str(one.subject),
                "pattern": one.pattern,
            }
            for one in gathered.entries.values()
        ],
        "hints": gathered.hints,
        "written": written,
        "applied": done,
    }
