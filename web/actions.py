"""What a person can do with held mail, and how it is undone: one place for list, page and the links of the digest."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tamis.base.errors import ConfigError, TamisError
from tamis.base.tokens import Purpose, Tokens
from tamis.contract.lists import OTHER, Colour, ListEntry, Match, Subject
from tamis.database.audit_trail import Deed
from tamis.database.list_entries import NewEntry
from tamis.desk.release import delivery
from tamis.judging.flip import FlipSender
from tamis.judging.list_effect import listable
from tamis.judging.site import Site
from tamis.language.translation import marked
from tamis.models.reports import Label, Spool
from tamis.quarantine.held_mail import BIN
from tamis.quarantine.records import Deliver, Done, HeldState, Summary
from tamis.settings import Settings
from tamis.store import Store


class Verb(StrEnum):
    """What can be done with one held message."""

    DELIVER = "deliver"
    ALLOW = "allow"  # deliver, and always deliver mail of this sender
    DELETE = "delete"
    SPAM = "spam"  # delete, and learn that such mail is unwanted
    BLOCK = "block"  # as SPAM, and always hold mail of this sender


_LEARNT: dict[Verb, Label] = {
    Verb.DELIVER: "ham",
    Verb.ALLOW: "ham",
    Verb.SPAM: "spam",
    Verb.BLOCK: "spam",
}
"""What the statistical filter is told. To delete says nothing about what it was."""
LISTING = {Verb.ALLOW: Colour.WHITE, Verb.BLOCK: Colour.BLACK}
DELIVERING = (Verb.DELIVER, Verb.ALLOW)

DONE = {
    Verb.DELIVER: marked("Delivered. It will be in your inbox in a moment."),
    Verb.ALLOW: marked("Delivered, and mail from %(sender)s will always reach you."),
    Verb.DELETE: marked("Deleted."),
    Verb.SPAM: marked("Deleted and reported as unwanted."),
    Verb.BLOCK: marked("Deleted, and mail from %(sender)s will always be held."),
}
"""What was done, where the lists stand as it says."""
DONE_FOR = {
    Verb.DELIVER: marked("Delivered. It will be in the inbox of %(mailbox)s in a moment."),
    Verb.ALLOW: marked("Delivered, and mail from %(sender)s will always reach %(mailbox)s."),
    Verb.BLOCK: marked("Deleted, and mail from %(sender)s to %(mailbox)s will always be held."),
}
"""The same, to somebody whose mailbox it is not."""
DONE_BUT = {
    Verb.ALLOW: marked(
        "Delivered. But other mail from %(sender)s is still held: %(pattern)s is on a list of blocked senders."
    ),
    Verb.BLOCK: marked(
        "Deleted. But other mail from %(sender)s still gets through: %(pattern)s is on a list of allowed senders."
    ),
}
"""Where another entry decides."""
DONE_DESPITE = marked("Delivered, and %(sender)s is among those you always allow.")
"""Where the entry is there and mail like this would be held all the same: what stands in the way is said behind it."""
DONE_ONLY = {
    Verb.ALLOW: marked("Delivered. Its sender can't be put on a list, so other mail is filtered as before."),
    Verb.BLOCK: marked("Deleted. Its sender can't be put on a list, so other mail is filtered as before."),
}
"""Where no entry does."""
UNDO = {
    Verb.DELIVER: marked("Forget that it was wanted"),
    Verb.ALLOW: marked("Don't always allow"),
    Verb.DELETE: marked("Undo"),
    Verb.SPAM: marked("Undo"),
    Verb.BLOCK: marked("Undo"),
}
UNDONE = {
    Verb.DELIVER: marked("Forgotten. The message stays in the inbox."),
    Verb.ALLOW: marked("Mail from this sender is filtered as before. The message stays in the inbox."),
    Verb.DELETE: marked("The message is back."),
    Verb.SPAM: marked("The message is back."),
    Verb.BLOCK: marked("The message is back, and its sender is not blocked any more."),
}
_CHOSE = "chose "
"""How an action of the audit trail begins that says what was chosen for a message, with what undoing it takes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Undoable:
    """What was done, as it stands in a token of Purpose.UNDO: who holds that can undo it for BIN."""

    verb: Verb
    message: str
    """"" where only a sender was listed."""
    entry: int = 0
    """The list entry that was added; 0 for none."""
    taught: bool = False
    replaced: bool = False
    """Whether the entry took the place of its contrary."""

    @property
    def leaves_something(self) -> bool:
        """Whether there is anything to undo: what was delivered stays so."""
        return bool(self.message and self.verb not in DELIVERING) or self.taught or bool(self.entry)

    @property
    def words(self) -> tuple[str, ...]:
        """What `of` reads."""
        return self.verb, self.message, str(self.entry), _yes(self.taught), _yes(self.replaced)

    @classmethod
    def of(cls, words: Sequence[str]) -> Undoable:
        """From `words`."""
        verb, message, entry, taught, *replaced = words  # one made before this version has four
        return cls(Verb(verb), message, int(entry), bool(taught), any(replaced))

    def token(self, tokens: Tokens, by: str, now: datetime | None = None) -> str:
        """The right to undo it."""
        return tokens.make(Purpose.UNDO, by, *self.words, expires=(now or datetime.now(UTC)) + BIN)

    @classmethod
    def read(cls, words: tuple[str, ...]) -> tuple[Undoable, str]:
        """What `token` was made of, and who did it."""
        by, *deed = words
        return cls.of(deed), by


def _yes(told: bool) -> str:
    return "1" if told else ""


class Actions:
    """The doing. `by` is the address of the person, for the audit trail and as reporter."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._spool = Spool(settings.spool_directory)
        self._deliver: Deliver = delivery(settings)

    def do(
        self, verb: Verb, message: Summary, sender: str, by: str, *, scope: str = "", teach: bool = True
    ) -> tuple[Done, Undoable]:
        """Do it. `sender` is `listed_sender` of the message; it is listed for its mailbox, or for `scope`. Without
        `teach` nothing is learned from it. Raises ReinjectError when Postfix takes nothing now: then the message is
        held as before, with the list entry that was asked for."""
        content = self._store.quarantine.content(message.id) if verb in _LEARNT else None
        listing = (
            verb in LISTING and sender and message.state is HeldState.HELD
        )  # an old link lists nobody unseen
        where = scope or message.mailbox
        entry, replaced = self._list(LISTING[verb], sender, where, by) if listing else (0, False)
        if verb in DELIVERING:
            done = self._store.quarantine.release(message.id, by, self._deliver)
            if done is Done.DONE and by == message.mailbox:
                self._store.answers.vouched(message.id)
        else:
            unwanted = teach and _LEARNT.get(verb) == "spam"
            done = self._store.quarantine.delete(message.id, by, unwanted=unwanted)
        taught = teach and done is Done.DONE and verb in _LEARNT and self._teach(_LEARNT[verb], by, content)
        deed = Undoable(verb, message.id, entry, taught, replaced)
        if done is Done.DONE:
            words = {"deed": deed.words}
            self._store.trail.note(by, f"{_CHOSE}{verb}", message.id, words, scope=message.mailbox)
        return done, deed

    def list_sender(self, verb: Verb, sender: str, scope: str, by: str) -> Undoable:
        """Only put a sender on the list that ALLOW and BLOCK mean: its mail that came stays where it is."""
        entry, replaced = self._list(LISTING[verb], sender, scope, by)
        return Undoable(verb, "", entry, False, replaced)

    def undo(self, deed: Undoable, by: str) -> bool:
        """Undo it, as far as it can be: a message that was delivered stays so. Whether all of it was undone."""
        undone = True
        if deed.entry:
            for gone in self._store.lists.remove([deed.entry], by=by):
                if deed.replaced:
                    self._restore(gone, by)
        if not deed.message:
            return undone
        content = self._store.quarantine.content(deed.message)
        if deed.verb in DELIVERING:
            self._store.quarantine.forget_word(deed.message, by)
        else:
            undone = self._store.quarantine.restore(deed.message, by) in (Done.DONE, Done.ALREADY)
        if deed.taught:
            undone = self._teach("forget", by, content) and undone
        return undone

    def _restore(self, gone: ListEntry, by: str) -> None:
        """The contrary of an entry, whose place it had taken."""
        entry = NewEntry(
            colour=OTHER[gone.colour],
            subject=gone.subject,
            pattern=gone.pattern,
            scope=gone.scope,
            origin="web",
            author=by,
        )
        self._store.lists.add([entry])

    def _list(self, colour: Colour, sender: str, mailbox: str, by: str) -> tuple[int, bool]:
        """The id of an entry that was not there before, else 0: somebody else's is not ours to undo; and whether it
        replaced its contrary."""
        entry = NewEntry(
            colour=colour, subject=Subject.SENDER, pattern=sender, scope=mailbox, origin="web", author=by
        )
        try:
            added = self._store.lists.add([entry])
        except ConfigError:  # no address that a list can hold: the rest is done all the same
            return 0, False
        if not added.new:
            return 0, False
        found = self._store.lists.find(
            scope=mailbox, colour=colour, subject=Subject.SENDER, pattern=listable(sender)
        )
        return max((one.id for one in found), default=0), bool(added.replaced)

    def _teach(self, label: Label, by: str, content: bytes | None) -> bool:
        if content is None:
            return False
        try:
            self._spool.put(label, "web", by, content)
        except (TamisError, OSError) as error:  # what was asked for is done; learning is extra
            log.warning("not learned: %s", error)
            return False
        return True


def undoable(deeds: Iterable[Deed], now: datetime) -> tuple[Undoable, Deed] | None:
    """What was chosen last for a message, from its audit trail (newest first), if it can still be undone."""
    for deed in deeds:
        if deed.action == "restore":
            return None
        if deed.action.startswith(_CHOSE):
            chosen = Undoable.of(deed.details["deed"])
            return (chosen, deed) if chosen.leaves_something and deed.at + BIN > now else None
    return None


def told(verb: Verb, sender: str, decides: Match | None, *, is_own: bool = True) -> tuple[str, str]:
    """The sentence on what was done, and the pattern in it. `decides` is the list entry that will count for the
    sender's next mail: what that does is what is told. `is_own`: to the owner of the mailbox."""
    done = DONE if is_own else DONE | DONE_FOR
    if verb not in LISTING:
        return done[verb], ""
    if decides is None or not sender:
        return DONE_ONLY[verb], ""
    if decides.colour is LISTING[verb]:
        return done[verb], ""
    return DONE_BUT[verb], decides.pattern


def listed_sender(message: Summary, site: Site) -> str:
    """The address that "always allow" and "always block" mean: the one that is shown, unless there is none or it
    pretends to be one of ours; then the envelope sender. "" when neither can be listed."""
    return shown_sender(message, site).met_by()[0]


def shown_sender(message: Summary, site: Site) -> FlipSender:
    """Whom an entry of a list could be about, of a held message."""
    own = frozenset({*site.settings.platform.domains, message.domain})
    return FlipSender(message.sender, message.header_from, own)
