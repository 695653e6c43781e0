"""S1 and S25: viruses, before everything else and after the cheap filters."""

from __future__ import annotations

from tamis.contract.ask import ask
from tamis.contract.filter import Filter, Message, NoChallenge
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, EnginesOf, Scan
from tamis.language.translation import marked
from tamis.message.chosen_files import chosen

_MAX_ATTACHMENTS = 30
"""Attachments that are sent by themselves. Beyond: dangerous names first, others by lot: the whole message is scanned
as well."""
_NAME_CHARACTERS = 100


class _AntivirusPass(Filter):
    """What both passes do."""

    expensive = True
    deadline = 250.0
    """The engines' own time (`antivirus.seconds`) ends it before, and says which engine was silent."""

    def examine(self, message: Message) -> Asks[Finding]:
        """What the engines of this pass find."""
        (scanner,), mail = self.asks, message.mail
        engines = yield from ask(EnginesOf(scanner))
        if not engines:
            return self.skipped("no virus scanner is configured")
        # clamd takes MIME apart too, but what its reader and ours disagree on is where viruses hide
        attachments = [
            ((part.filename or part.path)[:_NAME_CHARACTERS], part.payload)
            for part in chosen(mail, _MAX_ATTACHMENTS)
        ]
        whole = tuple((name, octets) for name, octets in attachments if octets)
        found = yield from ask(Scan(scanner, mail.raw, whole))
        names = ", ".join(engines)
        if found is None:
            return self.clear("nothing found by {engines}", engines=names, complete=mail.complete)
        return self.hit(
            "virus {signature} in {where} ({engine})",
            virus=True,  # no challenge is ever sent for these
            signature=found.signature,
            engine=found.engine,
            where=found.where,
        )


class FirstAntivirus(_AntivirusPass):
    """Takes a message for spam when a virus scanner finds something in it.

    Scanners are clamds (`antivirus.engines`; several sockets mean several signature sets), which get the whole
    message and every attachment as Tamis decodes it, in order. The first finding counts, and the reason names the
    signature. This pass runs before the white lists, so even a whitelisted sender's virus is caught; it uses the
    engines without `second_pass`. The sender of a virus never gets a challenge.
    """

    name = "antivirus"
    spec_id = "S1"
    summary = "virus, first pass"
    plain_reason = marked("a virus scanner raised the alarm")
    forbids_challenge = NoChallenge.VIRUS
    asks = ("first_antivirus",)


class SecondAntivirus(_AntivirusPass):
    """Takes a message for spam when a scanner of the second pass finds something in it.

    Like `antivirus`, with the engines that have `second_pass`. Messages that cheaper filters before it decided are
    not sent to them.
    """

    name = "antivirus_second"
    spec_id = "S25"
    summary = "virus, second pass"
    plain_reason = marked("a virus scanner raised the alarm")
    forbids_challenge = NoChallenge.VIRUS
    asks = ("second_antivirus",)
