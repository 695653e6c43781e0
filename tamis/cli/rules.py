"""`tamis rules`: the operator's own rules, checked and tried."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tamis.base.errors import ServiceError
from tamis.cli.context import AT_ONCE, Context, fail, json_option
from tamis.cli.messages import read_messages
from tamis.cli.terminal import print_json, printable
from tamis.handover.rule_material import MaterialFile, with_folders
from tamis.handover.taken_rules import TakenRules
from tamis.knowledge import compile_base
from tamis.message.mail import Mail, Seen
from tamis.message.mail.seen import NOTHING_SEEN
from tamis.rules import RuleBook
from tamis.rules.expression import written
from tamis.rules.matches import matches
from tamis.rules.proposals import MOST_FALSE, interval, rule_table
from tamis.rules.rule_file import compile_book, failed_examples, read_sources
from tamis.settings import Settings

if TYPE_CHECKING:
    from tamis.remote.remote import Remote


@click.group()
def rules() -> None:
    """The operator's own rules (S19, S20, S21)."""


def _book(context: Context, files: tuple[Path, ...]) -> RuleBook:
    sources = read_sources(files) if files else context.file.rules
    tables = compile_base(context.file.knowledge).book.tables
    return compile_book(sources, frozenset(one.name for one in context.filters), tables)


@rules.command()
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1)
@json_option
@click.pass_obj
def check(context: Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Check rule FILES (default: those in the settings) and run the examples in them."""
    book = _book(context, files)
    failed = list(failed_examples(book))
    examples = sum(len(one.hits) + len(one.clear) for one in book.rules)
    if as_json:
        print_json({"ok": not failed, "rules": len(book.rules), "examples": examples, "failed": failed})
    elif not failed:
        click.echo(f"{len(book.rules)} rules and {examples} examples: ok")
    if failed:
        fail("\n".join(failed), os.EX_CONFIG)


@rules.command()
@click.option(
    "--rules",
    "files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="Use this rule file instead of those in the settings. Can be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per message.")
@click.argument("sources", nargs=-1, required=True, metavar="FILE|DIR|MBOX|-...")
@click.pass_obj
def test(context: Context, files: tuple[Path, ...], as_json: bool, sources: tuple[str, ...]) -> None:
    """Show which rules match messages, and what matched where. Images and PDF documents are read as in the daemon."""
    tried = _tried_there(context.remote, files) if context.remote else _tried_here(context, files)
    for name, octets in (found for source in sources for found in read_messages(source)):
        told = {"message": name} | tried(name, octets)
        click.echo(json.dumps(told) if as_json else _text(told))


_Tried = Callable[[str, bytes], dict[str, Any]]


def _tried_there(remote: Remote, files: tuple[Path, ...]) -> _Tried:
    """What the rules of a Tamis elsewhere say, which reads no images and documents for it."""
    if files:
        raise click.UsageError("--rules names files of this machine, which a Tamis elsewhere does not have")
    return lambda _, octets: remote.try_rules(octets)


def _tried_here(context: Context, files: tuple[Path, ...]) -> _Tried:
    book = _book(context, files)
    if not book.rules:
        fail("there are no rules: name a file with --rules, or in rules.files of the settings", os.EX_CONFIG)
    settings = context.file.settings
    limit = settings.milter.max_examined

    def tried(name: str, octets: bytes) -> dict[str, Any]:
        mail = Mail(octets[:limit], complete=len(octets) <= limit, size=len(octets))
        return matches(book, mail.with_seen(_seen(name, mail, settings)))

    return tried


def _seen(name: str, mail: Mail, settings: Settings) -> Seen:
    """What stands in the images and documents; told on standard error when they can't be read."""
    from tamis.filters.image_text import documents_of, images_of, seen_in  # noqa: PLC0415
    from tamis.services.files.reader import FileReader  # noqa: PLC0415 # most messages have nothing to read
    from tamis.services.state.opening import observe_state  # noqa: PLC0415

    files = [*images_of(mail), *documents_of(mail)]

    async def read() -> Seen:
        state = observe_state(settings)
        try:
            return seen_in(await FileReader(settings.images).read(files, state), mail)
        finally:
            await state.close()

    try:
        return asyncio.run(read()) if files else NOTHING_SEEN
    except ServiceError as error:
        click.echo(f"tamis: {printable(name)}: images and documents are left out: {error}", err=True)
        return NOTHING_SEEN


def _text(told: dict[str, Any]) -> str:
    lines = [f"{told['message']}: {'' if told['rules'] else 'no rule'}"]
    for one in told["rules"]:
        what = f"score {one['points']:+g}" if one["action"] == "score" else one["action"]
        open_ = f", if {written(one['depends_on'])}" if one["met"] is None else ""
        lines.append(f"  {one['rule']:<24} {what}{open_}")
        lines += [
            f"    {spot['place']}: {spot['text']!r} by {spot['pattern']}"
            for spot in told["matches"]
            if spot["rule"] == one["rule"]
        ]
    return "\n".join(printable(line) for line in lines)


@rules.command()
@click.argument("labelled", nargs=-1, metavar="[ham|spam FILE|DIR|MBOX...]...")
@click.option("--shadow", is_flag=True, help="Take what is proposed into shadow at once.")
@json_option
@click.pass_obj
def propose(context: Context, labelled: tuple[str, ...], shadow: bool, as_json: bool) -> None:
    """Propose rules from what readers and honeypots reported: phrases, link domains and header forms that reported spam
    has and honest mail has not.

    Labelled mail can be added: "propose spam ~/Maildir/.Junk ham ~/Maildir/.Sent". Nothing is in force until it is
    accepted; in shadow a rule is named in headers and history and does nothing.
    """
    settings = context.file.settings
    spam, ham = _labelled(labelled)
    material = with_folders(MaterialFile(settings).read(), spam, ham, settings)
    taken = _taken_rules(context)
    found = taken.propose(material)
    if shadow:
        taken.take([one.name for one in found], shadow=True)
    if as_json:
        print_json(
            {
                "spam": len(material.spam),
                "ham": len(material.ham),
                "proposals": [asdict(one) | {"rule": rule_table(one, shadow=shadow)} for one in found],
            }
        )
        return
    click.echo(f"{len(material.spam)} reported and {len(material.ham)} honest messages are known.")
    if interval(0, len(material.ham))[1] > MOST_FALSE:
        click.echo("That is too little honest mail to propose anything by: add some with `ham DIR`.")
    for one in found:
        click.echo(printable(f"{one.name}  {one.points:+g}  {one.trait}"))
        click.echo(printable(f"    {one.evidence}"))
    if found:
        click.echo(
            "In shadow now."
            if shadow
            else "Next: `tamis rules accept`, `shadow` or `forget` with their NAMEs."
        )


def _names(act: str, text: str) -> Callable[..., None]:
    """A command that does something with proposals by name: accept, shadow or forget."""

    @click.argument("names", nargs=-1, required=True, metavar="NAME...")
    @click.pass_obj
    def command(context: Context, names: tuple[str, ...]) -> None:
        if context.remote:
            unknown = context.remote.take_rules(names, act)
        elif act == "forget":
            unknown = _taken_rules(context).forget(names)
        else:
            unknown = _taken_rules(context).take(names, shadow=act == "shadow")
        if unknown:
            fail(f"not proposed: {', '.join(unknown)}; `tamis rules propose` shows what is", os.EX_NOINPUT)
        click.echo(AT_ONCE)

    command.__doc__ = text
    return command


rules.command("accept")(_names("accept", "Put proposed rules NAME... into force."))
rules.command("shadow")(
    _names(
        "shadow",
        "Put rules NAME... into shadow: they are named in headers and history, and do nothing.",
    )
)
rules.command("forget")(
    _names(
        "forget",
        "Take rules NAME... out of force, and don't propose them again.",
    )
)


@rules.command("taken")
@json_option
@click.pass_obj
def taken_(context: Context, as_json: bool) -> None:
    """List the proposed rules that are in force or in shadow, with the evidence that they were proposed for."""
    found = _taken_there(context.remote) if context.remote else _taken_here(context)
    if as_json:
        print_json([plain for plain, _ in found])
        return
    for one, evidence in found:
        state = "shadow" if one["shadow"] else "in force"
        click.echo(printable(f"{one['name']}  {state}  {one['points']:+g}  {one['trait']}"))
        click.echo(printable(f"    {evidence}"))
    if not found:
        click.echo("None.")


def _taken_here(context: Context) -> list[tuple[dict[str, Any], str]]:
    found = _taken_rules(context).taken()
    return [(asdict(one) | {"shadow": shadow}, one.evidence) for one, shadow in found]


def _taken_there(remote: Remote) -> list[tuple[dict[str, Any], str]]:
    proposed = [one for one in remote.rules()["proposed"] if one["taken"] != "no"]
    return [
        (
            {key: one[key] for key in ("name", "trait", "points")} | {"shadow": one["taken"] == "shadow"},
            one["evidence"],
        )
        for one in proposed
    ]


def _taken_rules(context: Context) -> TakenRules:
    return TakenRules(context.file.settings, frozenset(one.name for one in context.filters))


def _labelled(words: tuple[str, ...]) -> tuple[list[Mail], list[Mail]]:
    """The messages behind the words spam and ham."""
    found: dict[str, list[Mail]] = {"spam": [], "ham": []}
    label = ""
    for word in words:
        if word in found:
            label = word
        elif not label:
            raise click.UsageError("ham or spam comes first")
        else:
            found[label] += [Mail(octets) for _, octets in read_messages(word)]
    return found["spam"], found["ham"]
