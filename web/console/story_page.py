"""Why did it go there, and what would have changed that? One message, for who may see copies of it.

number, reach -> KeptStory -> tell (copies: then, now, changes), chain (steps)
              -> held copies, questions, labels, each within their own right -> page
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from tamis.challenge.challenge_records import Challenge, ChallengeState
from tamis.contract.sentences import retold
from tamis.database.effective_labels import LabelSource
from tamis.database.history import KeptStory
from tamis.database.labels import source_of
from tamis.judging.flip import Flip, FlipSender
from tamis.judging.met_rules import KNOWLEDGE, met_rules
from tamis.judging.promise import STILL_SPAM, held_despite
from tamis.judging.reasons import plain_reason
from tamis.judging.story import Story, Told
from tamis.judging.telling import MAX_COPIES, MAX_STEPS, ChainStep, CopyTold, chain, tell
from tamis.judging.trace import RULED
from tamis.language.display_text import plain_lines
from tamis.language.shown_mailbox import shown_mailbox
from tamis.language.translation import marked
from tamis.message.address import PLATFORM, domain_of
from tamis.people.rights import Right
from tamis.quarantine.records import HeldState, Summary
from tamis.web.actions import DELIVERING, LISTING, Verb
from tamis.web.console import doing
from tamis.web.console.console import Console
from tamis.web.console.messages import named_by, went
from tamis.web.preview import Preview, preview
from tamis.web.typed_numbers import typed_number
from tamis.web.why import STATUS

MAX_HEADER = 64 * 1024
"""Octets of a raw header that are shown (beyond: cut off there, and the page says so)."""
_MOST_FACTS = 4000
_MOST_RULES = 8
"""Rules that ship that lead to what else they met; beyond: the others stand in the evidence alone."""

QUESTIONS = {
    ChallengeState.SUPPRESSED: marked("Its sender was not asked."),
    ChallengeState.PENDING: marked("Its sender will be asked."),
    ChallengeState.SENDING: marked("Its sender is being asked."),
    ChallengeState.LOST: marked("Whether its sender was asked is not known: that was interrupted."),
    ChallengeState.ASKED: marked("Its sender was asked on %(moment)s and has not answered."),
    ChallengeState.SOLVED: marked("Its sender was asked and answered on %(moment)s."),
    ChallengeState.DELIVERED: marked("Its sender was asked and answered on %(moment)s."),
}
HELD = {
    HeldState.HELD: marked("Held until %(day)s."),
    HeldState.RELEASING: marked("It is being delivered."),
    HeldState.RELEASED: marked("Delivered since, by %(who)s."),
    HeldState.DELETED: marked("Deleted since."),
    HeldState.EXPIRED: marked("Held too long, and deleted."),
}
_WANTED, _UNWANTED, _NO_WORD = "yes", "no", ""
SAID = {
    LabelSource.RELEASE: marked("said by %(who)s by delivering it"),
    LabelSource.CHALLENGE: marked("said by its sender's answer"),
    LabelSource.SPAM_BUTTON: marked("said by %(who)s by pressing “This is spam”"),
    LabelSource.JUNK_MOVE: marked("said by %(who)s by moving it to Junk, or out of it"),
    LabelSource.OPERATOR: marked("said by %(who)s"),
}


@dataclass(frozen=True, slots=True)
class StoryPart:
    """One copy on the page: what came of it, its held copy, what was asked, what people said, and what may be done."""

    copy: CopyTold
    held: Summary | None
    challenge: Challenge | None
    wanted: bool | None
    said: Sequence[str]
    verbs: frozenset[Verb]
    listing: Sequence[str]
    """For which scopes the sender may be listed."""
    sender: str
    despite: str
    """What "always allow" can't promise, in the reader's language; "" where it keeps it, or can't be pressed."""
    may_read: bool
    may_label: bool

    @property
    def told(self) -> Told:
        """What came of it."""
        return self.copy.told

    @property
    def policy_changes(self) -> list[Flip]:
        """Those that replay can try."""
        return [one for one in self.copy.changes if one.is_policy]

    @property
    def list_changes(self) -> list[Flip]:
        """Those that an entry of the lists makes."""
        return [one for one in self.copy.changes if not one.is_policy]


def show(console: Console) -> Response:
    """The page; `?copies=` and `?steps=` go on where it was cut."""
    kept = _kept(console)
    start = min(typed_number(console.visit.query("copies")) or 0, len(kept.story.recipients))
    recipients = kept.story.recipients[start:]
    copies = tell(
        kept.story, console.site.book, console.site.settings.platform.domains, recipients=recipients
    )
    parts = _parts(console, kept, copies)
    steps = chain(kept.story, console.site.filters, copies)
    first = min(typed_number(console.visit.query("steps")) or 0, len(steps))
    text = _text(console, parts)
    return console.render(
        "story.html",
        kept=kept,
        story=kept.story,
        parts_=parts,
        start=start,
        more_copies=start + MAX_COPIES if start + MAX_COPIES < len(kept.story.recipients) else 0,
        steps=steps[first : first + MAX_STEPS],
        more_steps=first + MAX_STEPS if first + MAX_STEPS < len(steps) else 0,
        facts=_facts(console, steps),
        tried=RULED if console.may(Right.PLATFORM, PLATFORM) else (),
        known=[rule for name, rule in met_rules(kept.story.findings).met if name == KNOWLEDGE][:_MOST_RULES]
        if console.may(Right.POLICY_READ)
        else (),
        KNOWLEDGE=KNOWLEDGE,
        text=text,
        went=went,
        named_by=named_by,
        reason=lambda told: plain_reason(told.decided_by, console.site.filters),
        evidence=lambda told: _evidence(console, told, steps),
        asked=lambda challenge: asked_in_words(console, challenge),
        held_state=lambda held: held_in_words(console, held),
        replayed=_replayed,
        statuses=STATUS,
        copies_shown=MAX_COPIES,
        notice=doing.notice(console),
        back={name: console.visit.query(name) for name in doing.KEPT},
        delivering=DELIVERING,
        Verb=Verb,
    )


def _replayed(flip: Flip) -> str:
    """A change as replay's address has it."""
    return f"{flip.key}={flip.value}" if isinstance(flip.value, str) else f"{flip.key}={flip.value:g}"


def _kept(console: Console) -> KeptStory:
    number = int(console.visit.request.path_params["number"])
    found = (
        console.visit.store.history.get(number, console.visible(Right.HISTORY)) if number < 1 << 63 else None
    )
    if found is None:
        raise doing.refuse()
    return found


def _parts(console: Console, kept: KeptStory, copies: Sequence[CopyTold]) -> list[StoryPart]:
    store, story = console.visit.store, kept.story
    held: dict[str, Summary] = {}
    for one in store.quarantine.of_message(story.transaction, console.visible(Right.HELD)):
        held.setdefault(one.mailbox, one)
    asked = store.challenges.about(story.transaction, {domain_of(one.mailbox) for one in copies})
    standing = store.labels.standing([story.transaction])
    words: dict[str, list[str]] = {}
    for label in store.labels.of(story.transaction) if story.transaction else ():
        if label.undone_at is None:
            said = console.visit.reader.gettext(SAID[label.source]) % {"who": label.who}
            words.setdefault(label.mailbox, []).append(said)
    return [
        _part(
            console,
            one,
            held.get(one.mailbox),
            asked.get(domain_of(one.mailbox)) if one.told.outcome == "quarantine" else None,
            standing.get((story.transaction, one.mailbox)),
            words.get(one.mailbox, ()),
            doing.sender_of(console, (shown_mailbox(story.header_from)[1], story.sender), one.mailbox)
            if story.side == "in"
            else "",
            _despite(console, story, one.mailbox),
        )
        for one in copies
    ]


def _despite(console: Console, story: Story, mailbox: str) -> str:
    """Why "always allow" would not let mail like this in, in the reader's language; "" where it would."""
    site, translate = console.site, console.visit.reader.gettext
    own = frozenset({*site.settings.platform.domains, domain_of(mailbox)})
    sender = FlipSender(story.sender, story.header_from, own)
    findings = {one.filter: one for one in story.findings}
    decider = held_despite(findings, site.book.policy(mailbox), sender)
    return (
        translate(STILL_SPAM).format(reason=translate(plain_reason(decider, site.filters))) if decider else ""
    )


def _part(
    console: Console,
    copy: CopyTold,
    held: Summary | None,
    challenge: Challenge | None,
    wanted: bool | None,
    said: Sequence[str],
    sender: str,
    despite: str,
) -> StoryPart:
    mailbox = copy.mailbox
    is_held = held is not None and held.state is HeldState.HELD
    release = is_held and console.may(Right.RELEASE, mailbox)
    listing = [one for one in (mailbox, domain_of(mailbox)) if sender and console.may(Right.LISTS, one)]
    verbs = {Verb.DELIVER, Verb.DELETE, Verb.SPAM} if release else set()
    if listing and (release or not is_held):
        verbs |= set(LISTING)
    return StoryPart(
        copy,
        held,
        challenge,
        wanted,
        said,
        frozenset(verbs),
        listing,
        sender,
        despite if Verb.ALLOW in verbs else "",
        may_read=is_held and console.may(Right.CONTENT, mailbox),
        may_label=console.may(Right.LEARN, mailbox),
    )


@dataclass(frozen=True, slots=True)
class HeldText:
    """A held message as somebody may read it: its raw header, and its text."""

    mailbox: str
    header: str
    is_cut: bool
    preview: Preview


def _text(console: Console, parts: Sequence[StoryPart]) -> HeldText | None:
    """The text of the copy of `?text=`, a mailbox; the audit trail knows who read it."""
    wanted = console.visit.query("text")
    one = next((part for part in parts if part.copy.mailbox == wanted and part.may_read), None)
    if one is None or one.held is None:
        return None
    content = console.visit.store.quarantine.content(one.held.id)
    if content is None:
        return None
    console.visit.store.trail.note(console.holder.mailbox, "preview", one.held.id, scope=one.copy.mailbox)
    header = content.partition(b"\r\n\r\n")[0]
    shown = plain_lines(header[:MAX_HEADER].decode("utf-8", "replace"), MAX_HEADER)
    return HeldText(wanted, shown, len(header) > MAX_HEADER, preview(content))


def _evidence(console: Console, told: Told, steps: Sequence[ChainStep]) -> str:
    """What the deciding filter saw, in the reader's language where its sentence is known there."""
    translate = console.visit.reader.gettext
    seen = next((one for one in steps if one.name == told.decided_by), None)
    if seen is not None and seen.text() == told.because:
        return seen.text(translate)
    return retold(told.because, translate)


def _facts(console: Console, steps: Sequence[ChainStep]) -> Mapping[str, str]:
    """Findings' facts, for the platform alone: they hold numbers and addresses of other domains."""
    if not console.may(Right.PLATFORM, PLATFORM):
        return {}
    shown = {
        one.name: json.dumps(dict(one.finding.facts), ensure_ascii=False)
        for one in steps
        if one.finding.facts
    }
    return {name: text[:_MOST_FACTS] for name, text in shown.items()}


def asked_in_words(console: Console, challenge: Challenge) -> str:
    """What became of the question to its sender, in a sentence."""
    reader = console.visit.reader
    at = challenge.solved_at or challenge.sent_at or challenge.at
    return reader.gettext(QUESTIONS[challenge.state]) % {"moment": reader.moment(at)}


def held_in_words(console: Console, held: Summary) -> str:
    """What became of a held copy, in a sentence."""
    reader = console.visit.reader
    told = {"day": reader.day(held.expires_at), "who": held.released_by}
    return reader.gettext(HELD[held.state]) % told


# --- doing ----------------------------------------------------------------------------------------


def act(console: Console) -> Response:
    """Do something about one copy."""
    kept = _kept(console)
    mailbox, verb = console.visit.field("mailbox"), doing.asked_verb(console)
    copies = [one for one in _copies(console, kept) if one.mailbox == mailbox]
    if not copies:
        raise doing.refuse()
    reach = console.visible(Right.HELD)
    held = [
        one
        for one in console.visit.store.quarantine.of_message(kept.story.transaction, reach)
        if one.mailbox == mailbox and one.state is HeldState.HELD
    ]
    sender = doing.sender_of(console, (shown_mailbox(kept.story.header_from)[1], kept.story.sender), mailbox)
    scope = console.visit.field("scope") or mailbox
    despite = _despite(console, kept.story, mailbox) if verb is Verb.ALLOW else ""
    said, did = doing.act_on_copy(console, verb, mailbox, next(iter(held), None), sender, scope, despite)
    return doing.told(console, f"/messages/{kept.id}", said, did)


def label(console: Console) -> Response:
    """Note that a copy was wanted or unwanted, or take that back."""
    kept = _kept(console)
    mailbox, wanted = console.visit.field("mailbox"), console.visit.field("wanted")
    if mailbox not in {one.mailbox for one in _copies(console, kept)}:
        raise doing.refuse()
    console.require(Right.LEARN, mailbox)
    by, store = console.holder.mailbox, console.visit.store
    source = source_of(by, mailbox, LabelSource.RELEASE)
    if wanted in (_WANTED, _UNWANTED):
        store.labels.say(kept.story.transaction, mailbox, wanted == _WANTED, source, by)
        said = marked("Noted as wanted.") if wanted == _WANTED else marked("Noted as unwanted.")
    else:
        store.labels.take_back(kept.story.transaction, mailbox, source, by)
        said = marked("Your word on it is taken back.")
    details: dict[str, Any] = {"mailbox": mailbox, "wanted": wanted}
    store.trail.note(by, "label", kept.story.transaction, details, scope=mailbox)
    return doing.told(console, f"/messages/{kept.id}", console.visit.reader.gettext(said))


def _copies(console: Console, kept: KeptStory) -> list[CopyTold]:
    """All copies that may be seen, without what would change them."""
    book, story = console.site.book, kept.story
    found = []
    for recipient, told in story.recipients:
        policy = book.policy(story.sender if story.login else recipient)
        found.append(CopyTold(recipient, told, told, (), policy.scopes, policy.mailbox))
    return found
