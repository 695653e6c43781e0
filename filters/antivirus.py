"""S1 and S25: viruses, before everything else and after the cheap filters."""

from __future__ import annotations

from abc import abstractmethod

from tamis.contract.filter import Filter, Message, NoChallenge
from tamis.contract.finding import Finding
from tamis.contract.service_protocols import Antivirus
from tamis.language.translation import marked
from tamis.message.chosen_files import chosen

_MAX_ATTACHMENTS = 30
"""Attachments that are sent by themselves. Beyond: as part of the whole message alone; dangerous names first, others
by lot."""
_NAME_CHARACTERS = 100


class _AntivirusPass(Filter):
    """What both passes do."""

    dear = True
    deadline = 250.0
    """The engines' own time (`antivirus.seconds`) ends it before, and says which engine was silent."""

    @staticmethod
    @abstractmethod
    def _engines(message: Message) -> Antivirus:
        """Those of this pass."""

    def at_once(self, message: Message) -> Finding | None:
        """Nothing to ask without engines."""
        return None if self._engines(message).engines else self.skipped("no virus scanner is configured")

    async def examine(self, message: Message) -> Finding:
        """What the engines of this pass find."""
        engines, mail = self._engines(message), message.mail
        # clamd takes MIME apart too, but what its reader and ours disagree on is where viruses hide
        attachments = [
            ((part.filename or part.path)[:_NAME_CHARACTERS], part.payload)
            for part in chosen(mail, _MAX_ATTACHMENTS)
        ]
        found = await engines.scan(mail.raw, [(name, octets) for name, octets in attachments if octets])
        names = ", ".join(engines.engines)
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

    @staticmethod
    def _engines(message: Message) -> Antivirus:
        return message.services.first_antivirus


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

    @staticmethod
    def _engines(message: Message) -> Antivirus:
        return message.services.second_antivirus
