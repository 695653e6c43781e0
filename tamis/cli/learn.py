"""`tamis learn`: what is ham and what is spam, from folders of mail."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tamis.cli.context import Context, fail, json_option
from tamis.cli.terminal import print_json, printable, progress
from tamis.handover.marking import Marking
from tamis.handover.rule_material import MaterialFile
from tamis.installation.teacher import open_teacher, opened_teacher, shared_counts
from tamis.message.address import domain_key
from tamis.models.bulk import candidates, in_turn
from tamis.models.corpora import CorpusError, Place, found
from tamis.models.model_file import ModelBusyError
from tamis.models.queue import Queue, attended
from tamis.models.reports import SOURCES, ReportError, Spool
from tamis.models.site_model import home_of
from tamis.settings import Settings
from tamis.store import Store

_SHOWN_PROBLEMS = 10
_WAIT = 10.0
_PUBLISHED_EVERY = 5000
_LABELS = {"ham": False, "spam": True}


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="ham|spam FILE|DIR|MBOX|-...")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=lambda: os.cpu_count() or 1,
    help="Number of processes that read mail.",
)
@click.option(
    "--source",
    type=click.Choice(list(SOURCES)),
    default="learn",
    show_default=True,
    help="Where the labels come from. Sources other than learn have less weight and daily limits.",
)
@click.option(
    "--domain",
    default="",
    metavar="DOMAIN",
    help="One of platform.domains whose readers labelled the mail: also trains that domain's correction.",
)
@click.option("--undo", is_flag=True, help="Unlearn these messages, as if they had never been learned.")
@json_option
@click.pass_obj
def learn(
    context: Context,
    what: tuple[str, ...],
    jobs: int,
    source: str,
    domain: str,
    undo: bool,
    as_json: bool,
) -> None:
    """Teach the statistical filter: "learn ham ~/Maildir/.Sent spam ~/Maildir/.Junk".

    The words ham and spam label the files, folders, Maildirs and mboxes that follow. A message counts once,
    so the command can be interrupted and repeated. While another process writes the model, the messages are
    left in the spool, and the daemon learns them within seconds.

    Exit status: 0 all accepted, 65 some could not be read, 66 no such file, 75 the spool is full.
    """
    settings = context.file.settings
    domain = _known_domain(settings, domain) if domain else ""
    with _places(what) as places:
        if undo or source != "learn":
            counts, problems = _spooled(settings, places, source, domain, undo=undo)
        else:
            try:
                counts, problems = _direct(settings, places, domain, jobs)
            except ModelBusyError:
                counts, problems = _spooled(settings, places, source, domain, undo=undo)
    for problem in problems[:_SHOWN_PROBLEMS]:
        click.echo(f"tamis: left out: {printable(problem)}", err=True)
    about = dict(counts) | {"unreadable": len(problems)}
    if as_json:
        print_json(about)
    else:
        click.echo(", ".join(f"{count} {name}" for name, count in about.items() if count) or "nothing there")
    if problems:
        raise click.exceptions.Exit(os.EX_DATAERR)


def _known_domain(settings: Settings, domain: str) -> str:
    """The domain as the platform has it; the command ends with its nearest one when it is none."""
    domains = list(settings.platform.domains)
    if domain_key(domain) in domains:
        return domain_key(domain)
    near = difflib.get_close_matches(domain_key(domain), domains, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise click.BadParameter(f"{domain} is not among platform.domains{hint}", param_hint="--domain")


@contextlib.contextmanager
def _places(what: tuple[str, ...]) -> Iterator[list[Place]]:
    """The messages, ham and spam in turn. Standard input is kept in a file meanwhile."""
    if what[0] not in _LABELS:
        raise click.UsageError("ham or spam comes first")
    spam, places = False, []
    with tempfile.TemporaryDirectory(prefix="tamis-learn-") as folder:
        for word in what:
            if word in _LABELS:
                spam = _LABELS[word]
                continue
            path = Path(word)
            if word == "-":
                path = Path(folder) / "stdin"
                with path.open("wb") as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
            try:
                places += found([path], spam=spam)
            except CorpusError as error:
                fail(str(error), os.EX_NOINPUT)
        yield in_turn(places)


def _direct(
    settings: Settings, places: list[Place], domain: str, jobs: int
) -> tuple[dict[str, int], list[str]]:
    counts: Counter[str] = Counter()
    problems: list[str] = []
    tell = progress(len(places))
    with Store(settings.store_url) as store, opened_teacher(settings, store, wait=_WAIT) as teacher:
        try:
            known = lambda message, spam: teacher.known(message, spam=spam)  # noqa: E731 - a name for one call
            for number, one in enumerate(candidates(places, known, home_of(settings), jobs), 1):
                if one.problem:
                    problems.append(one.problem)
                elif one.is_test:
                    counts["test messages left out"] += 1
                elif one.features is not None and teacher.teach(
                    one.message,
                    one.features,
                    spam=one.place.spam,
                    weight=SOURCES["learn"].say,
                    domain=domain,
                    beside=one.beside,
                    sender=one.sender,
                ):
                    counts["spam learned" if one.place.spam else "ham learned"] += 1
                    if sum(counts.values()) % _PUBLISHED_EVERY == 0:
                        teacher.publish()
                else:
                    counts["known before"] += 1
                tell(number)
        finally:
            teacher.publish()
        if counts["ham learned"] or counts["spam learned"] or teacher.measuring_due():
            click.echo("measuring ...", err=True)
            teacher.measure()
    return dict(counts), problems


def _spooled(
    settings: Settings, places: list[Place], source: str, domain: str, *, undo: bool
) -> tuple[dict[str, int], list[str]]:
    """Leave the messages to whoever writes the model; that is this process when nobody else does."""
    spool = Spool(settings.spool_directory)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    for place in places:
        try:
            raw = place.read().raw
        except OSError as error:
            problems.append(f"{place.name}: {error.strerror}")
            continue
        label: Any = "forget" if undo else "spam" if place.spam else "ham"
        try:
            spool.put(label, source, f"@{domain}" if domain else "-", raw)
        except ReportError as error:
            fail(str(error), os.EX_TEMPFAIL)
        counts["reported"] += 1
    with (
        contextlib.suppress(ModelBusyError),
        Store(settings.store_url) as store,
        open_teacher(settings, store) as teacher,
    ):
        attend = attended(MaterialFile(settings).note, Marking(settings))
        queue = Queue(settings, teacher, attend=attend, taught=shared_counts(store))
        while queue.take_in():
            pass
        if teacher.measuring_due():
            teacher.measure()
    return dict(counts), problems
