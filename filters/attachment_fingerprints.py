"""S26: attachments that are known to be bad."""

from __future__ import annotations

from tamis.contract.filter import Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.lists import Match, MatchedField, Subject, unwanted
from tamis.contract.questions import Asks
from tamis.filters.shared.attached import inspected, shown_path
from tamis.language.translation import marked

_MAX_HASHES = 50


class AttachmentFingerprints(Filter):
    """Takes a message for spam when an attachment, or a file in an attached archive, is known to be bad.

    A file is identified by its SHA-256. `tamis fingerprint add attachment FILE` adds one, for the platform, a
    domain or a mailbox; `tamis fingerprint show attachment` shows them, with how many messages each decided. A
    white entry (`tamis lists add white attachment HASH`) in a nearer scope still allows the file.
    """

    name = "attachment_fingerprints"
    spec_id = "S26"
    summary = "attachment with a known bad fingerprint, also in archives"
    plain_reason = marked("a file in it is known to be harmful")
    forbids_challenge = NoChallenge.VIRUS
    expensive = True

    def examine(self, message: Message) -> Asks[Finding]:
        """The hashes of all files, and the entries of the base that they meet."""
        if not message.mail.attachments:
            return self.clear("no attachment")
        hashes: dict[str, str] = {}
        for file in (yield from inspected(message)):
            if file["sha256"]:
                hashes.setdefault(file["sha256"], shown_path(file))
        entries = [
            entry
            for value in hashes
            for entry in message.lists.fingerprints(
                Subject.ATTACHMENT, value, message.scopes, message.envelope.received_at
            )
        ]
        some = list(hashes)[:_MAX_HASHES]
        if not entries:
            return self.clear("{number} files, none known", number=len(hashes), hashes=some)
        return self.hit(
            "known file {file}",
            file=hashes[entries[0].pattern],
            hashes=some,
            matches=[Match.of(entry, MatchedField.CONTENT).to_fact() for entry in entries],
        )

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """A hit when the nearest entry of one of the files is black."""
        matches = [Match.from_fact(fact) for fact in finding.facts.get("matches", ())]
        return self.opinion(
            finding, options, hit=finding.status is Status.HIT and unwanted(matches, scopes) is not None
        )
