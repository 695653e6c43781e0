"""Where the files of an installation are, what they are for, and what their loss costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, overload

from tamis.models.ledger import LEDGER
from tamis.settings import Settings


def host_name(settings: Settings) -> str:
    """By which the hosts of one store tell each other apart: a machine may have two installations."""
    return f"{os.uname().nodename}:{settings.state_directory}"


class KnownFile:
    """A file or folder of Paths: `what` it holds, and what it means that it is `lost`, for docs/files.md."""

    def __init__(self, path: Callable[[Settings], Path], what: str, lost: str) -> None:
        self._path = path
        self.what = what
        self.lost = lost

    @overload
    def __get__(self, paths: None, owner: type) -> Self: ...

    @overload
    def __get__(self, paths: Paths, owner: type) -> Path: ...

    def __get__(self, paths: Paths | None, owner: type) -> Self | Path:
        return self if paths is None else self._path(paths.settings)


class Paths:
    """The files of one installation, below its state and run directories."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    store = KnownFile(
        lambda settings: settings.state_directory / "tamis.sqlite",
        "the durable store, unless `store.url` names another: held mail, lists, overrides, history",
        "lost mail: back it up",
    )
    key = KnownFile(
        lambda settings: settings.key_file,
        "the key that signs redirected addresses and links",
        "redirected copies wait in Postfix's queue, and links in mails are not valid, until it is back: back it up",
    )
    model = KnownFile(
        lambda settings: settings.model_directory,
        "the statistical model, and the journal of what it learned: hashed features and hashed senders, no mail",
        "what was learned: back it up",
    )
    ledger = KnownFile(
        lambda settings: settings.model_directory / LEDGER,
        "who taught the model how much, and which sources contradict it",
        "the daily limits of who may teach how much start again",
    )
    reports = KnownFile(
        lambda settings: settings.spool_directory,
        "reports of readers that wait to be learned, unless `learning.spool` names another directory",
        "reports that were not yet learned",
    )
    rules = KnownFile(
        lambda settings: settings.rules_directory,
        "what reported spam has, for `tamis rules propose`, the rules that were taken of it (`taken.toml`), and those "
        "that the store keeps (`own.toml`)",
        "proposals begin anew, and rules that were taken are gone; `own.toml` comes back from the store",
    )
    notes = KnownFile(
        lambda settings: settings.state_directory / "redirections",
        "what the milter found about redirected copies in Postfix's queue: it must survive a reboot, as they do",
        "fewer details in headers and in what is held",
    )
    former_notes = KnownFile(
        lambda settings: settings.state_directory / "detours",
        "the same, as versions before 0.2 left it: read as long as such copies can be queued",
        "fewer details in headers and in what is held",
    )
    marks = KnownFile(
        lambda settings: settings.state_directory / "marks",
        "what was marked by hand, on its way to the store",
        "marks that had not reached the store",
    )
    words = KnownFile(
        lambda settings: settings.state_directory / "words",
        "which messages readers moved to Junk or out of it, on its way to the store",
        "moves that had not reached the store are not counted",
    )
    journal = KnownFile(
        lambda settings: settings.state_directory / "journal",
        "findings about messages, on their way to the history in the store",
        "the history of messages that had not reached the store",
    )
    feeds = KnownFile(
        lambda settings: settings.state_directory / "feeds",
        "the last good lists of complaints",
        "they are fetched again",
    )
    snapshot = KnownFile(
        lambda settings: settings.snapshot_file.parent,
        "policy and lists of the store, as the workers read them",
        "it is rebuilt from the store",
    )
    shared_state = KnownFile(
        lambda settings: settings.state_file,
        "counters and waiting times that the workers share, unless `state.url` names a Redis",
        "counts and waiting times start again",
    )
    processes = KnownFile(
        lambda settings: settings.run_directory / "processes.json",
        'who is running: `{"supervisor": pid, "workers": [pid], "desk": [pid], "background": [pid]}`',
        "it is rewritten when a process starts",
    )
    proof = KnownFile(
        lambda settings: settings.run_directory / "route.json",
        "the latest proof that Postfix's route leads to the desk",
        "the route is proven again",
    )
    hits = KnownFile(
        lambda settings: settings.run_directory / "hits",
        "hit counts of list entries, on their way to the store",
        "counts of a second or two",
    )
    senders = KnownFile(
        lambda settings: settings.run_directory / "senders",
        "what workers learned about senders, on its way to the store",
        "what was learned in a second or two",
    )
    metrics = KnownFile(
        lambda settings: settings.run_directory / "metrics",
        "counts of the workers, on their way to the exporter",
        "counts of a second or two",
    )
    listeners = KnownFile(
        lambda settings: settings.run_directory / "listeners",
        "what each worker counted of the messages that began at each of Postfix's listeners: `<pid>.json`",
        "the counts start again",
    )
    parts = KnownFile(
        lambda settings: settings.run_directory / "parts",
        "the circuit breakers of each process: `<pid>.json`",
        "it is rewritten every second",
    )

    @classmethod
    def places(cls) -> Mapping[str, KnownFile]:
        """All of them, by their names here."""
        return {name: one for name, one in vars(cls).items() if isinstance(one, KnownFile)}
