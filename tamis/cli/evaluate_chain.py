"""`tamis evaluate --chain`: a site's own labelled mail through the whole chain, counted by folder.

    place -> learned by the site's model? -> left out, counted
          -> every filter, the recipient's policy -> verdict -> counted in its folder and in all ham or all spam

What the model was taught says nothing about what it will do. With the protocol `freeze:N` a model of its own is taught
the first N messages, and judges the rest in place of the site's.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tamis.chain.open_services import observe_services
from tamis.chain.road import Road
from tamis.cli.context import Context
from tamis.cli.examining import default_recipient, sender_of, site_in_force
from tamis.cli.terminal import printable, table
from tamis.judging.site import Site
from tamis.judging.verdict import Decision, Verdict
from tamis.message.envelope import Envelope, Recipient
from tamis.models.bulk import in_turn
from tamis.models.corpora import Place
from tamis.models.features import extract
from tamis.models.folds import sent_by
from tamis.models.levels import Rate
from tamis.models.reports import message_id
from tamis.models.site_model import SiteModel, home_of
from tamis.models.teaching import Teacher, learned_ids
from tamis.services.runner import Runner

_MAILDIR = ("cur", "new")
_LEARNED, _UNREADABLE = "learned", "unreadable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one message: a verdict, or why it has none."""

    place: Place
    came: str

    @property
    def folder(self) -> str:
        """Where it lies: its folder, its Maildir or its mbox."""
        place = self.place
        if place.start or place.end >= 0:
            return str(place.path)
        parent = place.path.parent
        return str(parent.parent if parent.name in _MAILDIR else parent)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All messages; `required` is the recipient's, `deciding` whether a statistical model had a say."""

    recipient: str
    required: float
    deciding: bool
    taught: int
    judgements: Sequence[Judgement]


def evaluate_chain(
    context: Context, places: Sequence[Place], *, recipient: str, teach: int, progress: Callable[[int], None]
) -> Evaluated:
    """Judge labelled messages for a recipient ("": the platform's postmaster) by the site's policy and lists.

    With `teach` the first so many are lessons of a model that is used in place of the site's own. Neither the site's
    model nor its state is changed. Raises ConfigError.
    """
    site = site_in_force(context)
    to = recipient or default_recipient(site)
    lessons, rest = places[:teach], places[teach:]
    with _model(site, lessons) as (model, learned):
        judge = _Judge(site, model, to)
        try:
            judgements = []
            for done, place in enumerate(rest, 1):
                judgements.append(Judgement(place, judge.came_of(place, learned)))
                progress(done)
        finally:
            judge.close()
    return Evaluated(to, judge.required, judge.deciding, len(lessons), judgements)


@contextmanager
def _model(site: Site, lessons: Sequence[Place]) -> Iterator[tuple[SiteModel, frozenset[str]]]:
    """The site's own model and what it learned; with lessons one that is taught them, and nothing left out."""
    settings = site.settings
    if not lessons:
        yield SiteModel(settings), learned_ids(settings.model_directory)
        return
    with tempfile.TemporaryDirectory(prefix="tamis-evaluate-") as folder:
        own = settings.model_copy(update={"state_directory": Path(folder)})
        home = home_of(settings)
        with Teacher(own.model_directory, minimum=settings.learning.minimum) as teacher:
            for place in in_turn(list(lessons)):
                try:
                    mail = place.read()
                except OSError:
                    continue
                sender = sent_by(mail, home)
                teacher.teach(message_id(mail), extract(mail, home=home), spam=place.spam, sender=sender)
            teacher.measure()
        yield SiteModel(own), frozenset()


class _Judge:
    """The chain, opened for a look from outside."""

    def __init__(self, site: Site, model: SiteModel, recipient: str) -> None:
        self.required = 0.0
        self.deciding = False
        self._runner = Runner()
        self._services = replace(observe_services(site.settings), statistics=model)
        self._road = Road(site, self._runner, self._services)
        self._to = (Recipient(recipient),)

    def came_of(self, place: Place, learned: frozenset[str]) -> str:
        """The verdict, or why there is none."""
        try:
            mail = place.read()
        except OSError:
            return _UNREADABLE
        if message_id(mail) in learned:
            return _LEARNED
        envelope = Envelope(client_ip="", helo="", sender=sender_of(mail), recipients=self._to)
        examined = self._road.end_of_message(envelope, mail)
        verdict: Verdict = examined.judged[0].verdict
        self.required = verdict.required
        self.deciding |= "number" in examined.findings["statistics"].facts
        return str(verdict.decision)

    def close(self) -> None:
        """Let go of the services."""
        self._runner.call(self._services.dns.close)


def report_chain(found: Evaluated) -> dict[str, Any]:
    """The counts as plain data, which --json prints."""
    folders = sorted({(one.place.spam, one.folder) for one in found.judgements})
    return {
        "recipient": found.recipient,
        "required": found.required,
        "taught": found.taught,
        "deciding": found.deciding,
        "folders": [
            {"folder": folder, "spam": spam}
            | _counts([one for one in found.judgements if (one.place.spam, one.folder) == (spam, folder)])
            for spam, folder in folders
        ],
        "all": {
            name: _counts([one for one in found.judgements if one.place.spam is spam])
            for name, spam in (("ham", False), ("spam", True))
        },
    }


def _counts(judgements: Sequence[Judgement]) -> dict[str, Any]:
    came = Counter(one.came for one in judgements)
    judged = len(judgements) - came[_LEARNED] - came[_UNREADABLE]
    return {
        "messages": len(judgements),
        "taken_for_spam": Rate(came[Decision.SPAM], judged).to_dict(),
        "deferred": came[Decision.DEFER],
        _LEARNED: came[_LEARNED],
        _UNREADABLE: came[_UNREADABLE],
    }


def lines_of_chain(about: dict[str, Any]) -> list[str]:
    """The same for people."""
    model = (
        f"a model that was taught the first {about['taught']}" if about["taught"] else "the site's own model"
    )
    said = "decides" if about["deciding"] else "has nothing to say yet"
    counted = [(one["folder"], "spam" if one["spam"] else "ham", one) for one in about["folders"]]
    counted += [("all", name, one) for name, one in about["all"].items()]
    rows = [
        [
            folder,
            label,
            str(one["taken_for_spam"]["total"]),
            _share(one["taken_for_spam"]),
            str(one["deferred"]),
            str(one[_LEARNED]),
            str(one[_UNREADABLE]),
        ]
        for folder, label, one in counted
    ]
    heads = ["FOLDER", "LABEL", "JUDGED", "TAKEN FOR SPAM", "DEFERRED", "LEARNED BEFORE", "UNREADABLE"]
    return [
        f"for {printable(about['recipient'])}, spam from {about['required']:g} points on; {model} {said}",
        "",
        table(heads, rows, [1, 0, 0, 0, 0, 0, 0]),
    ]


def _share(rate: dict[str, Any]) -> str:
    if not rate["total"]:
        return "-"
    low, high = 100 * rate["low"], 100 * rate["high"]
    return f"{rate['count']}: {100 * rate['count'] / rate['total']:.2f} % ({low:.2f} to {high:.2f})"
