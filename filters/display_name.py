"""S31b: a display name that pretends to be somebody else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tamis.contract.filter import Effect, Message, NoChallenge
from tamis.contract.finding import Finding
from tamis.filters.shared.clients import registered_domain
from tamis.filters.signing.list_headers import ListsExcused
from tamis.language.translation import marked
from tamis.message.domains import skeleton
from tamis.message.mail import Address
from tamis.message.mail.mailboxes import shown_domains
from tamis.settings import Platform

_WORD = re.compile(r"[^\W_]+")
_MAX_WORDS = 50  # words of a name that are compared; beyond: not compared: nobody sees so many
_DISPLAY_CHARACTERS = 300
"""Characters of a name that are looked at. Beyond: not looked at: nobody sees so much."""


class DisplayName(ListsExcused):
    """Adds points when the display name in From belongs to somebody else.

    Either it contains an address in another registered domain than the real one
    ("service@bank.example" <x@example.net>), or it is a name of `platform.protected_names` and the address is in none
    of that name's domains. Mailing lists write "marie@example.com via list": an address is excused by that or by a
    List-Id where it can be believed, which is where a DKIM signature of the sender or the list covers it, or SPF passes
    for a MAIL FROM of theirs.
    """

    name = "display_name"
    spec_id = "S31b"
    summary = "display name with another address, or with a protected name"
    plain_reason = marked("the sender's name shows another address than the real one")
    forbids_challenge = NoChallenge.NAME
    effect = Effect.SCORE

    def look(self, message: Message) -> Finding:
        """Which pretence there is, if any: a protected name before an address, which can be excused."""
        shows: Finding | None = None
        for author in message.mail.some_authors:
            display = _shown(author)
            real = registered_domain(author.domain)
            if not display or not real:
                continue
            if (name := _protected(message.platform, display, real)) is not None:
                return self.hit(
                    "the name {name} before an address in {real}", kind="protected", name=name, real=real
                )
            others = map(registered_domain, shown_domains(display))
            shown = next((one for one in others if one and one != real), "")
            if shown and shows is None:
                shows = self.hit(
                    "an address in {shown} shown before one in {real}",
                    kind="address",
                    shown=shown,
                    real=real,
                    via=" via " in display.lower(),
                )
        return shows or self.clear("no other name")

    def challenge_barred_by(self, finding: Finding) -> NoChallenge | None:
        """A protected name forbids it; another address in the name can be a list's work."""
        return super().challenge_barred_by(finding) if finding.facts.get("kind") == "protected" else None

    def excuses(self, message: Message, hit: Finding) -> Sequence[str]:
        """Where it says that a list wrote the name; what protects a name excuses nobody."""
        if hit.facts["kind"] != "address":
            return []
        return [*["list-id"] * ("list-id" in message.mail.headers), *["from"] * hit.facts["via"]]


def _shown(author: Address) -> str:
    """The name, and a local part that looks like an address itself ("service@bank.example"@example.net)."""
    local = author.local.strip('"') if "@" in author.local else ""
    return f"{author.display[:_DISPLAY_CHARACTERS]} {local}".strip()


def _protected(platform: Platform, display: str, real: str) -> str | None:
    """The protected name that a display name holds without right."""
    if not platform.protected_names:
        return None
    plain = skeleton_of_words(display)
    for name, domains in platform.protected_names.items():
        allowed = {registered_domain(domain) for domain in domains or platform.domains}
        if skeleton_of_words(name) in plain and real not in allowed:
            return name
    return None


def skeleton_of_words(text: str) -> str:
    """A name as a reader sees it, word by word, with a blank around each."""
    return f" {' '.join(map(skeleton, _WORD.findall(text)[:_MAX_WORDS]))} "
