"""Why a message was held, for people who don't run mail servers: one fragment for each filter that can decide.

A filter's own sentence (Finding.because) is evidence; this says what it means, and tells a sender of spam nothing that
would help. Fragments stand behind "Why: " and end without a full stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tamis.judging.verdict import SCORE
from tamis.language.translation import marked

REASONS: Mapping[str, str] = MappingProxyType(
    {
        SCORE: marked("several small signs of unwanted mail add up"),
        "antivirus": marked("a virus scanner raised the alarm"),
        "antivirus_second": marked("a virus scanner raised the alarm"),
        "temporary_blacklist": marked("the server it came from is blocked for a time"),
        "rate_limit": marked("too much mail came from there in a short time"),
        "greylisting": marked("the sender was not known yet"),
        "spf": marked("the server it came from may not send for the sender's domain (SPF)"),
        "dkim": marked("it was signed, and changed on its way or forged (DKIM)"),
        "dmarc": marked("the owner of the sender's domain says that it is forged (DMARC)"),
        "ip_blacklist": marked("the server it came from stands on the black list here"),
        "marked_spam": marked("the same message was reported here as unwanted before"),
        "sender_blacklist": marked("the sender stands on the black list here"),
        "sender_complaints": marked("there were complaints about this sender"),
        "reverse_dns": marked("the server it came from has no name (PTR)"),
        "missing_sender": marked("it does not say who sent it"),
        "same_address": marked("it pretends to come from the recipient's own address"),
        "honeypot": marked("it was also written to an address that no person uses"),
        "ip_complaints": marked("there were complaints about the server it came from"),
        "sender_mx": marked("the sender's domain can't receive answers"),
        "dnsbl": marked("the server it came from stands on public block lists"),
        "empty": marked("it is empty"),
        "keywords": marked("it contains words that are filtered here"),
        "rule_logic": marked("it meets a rule that was set here"),
        "image_text": marked("an image in it is known"),
        "message_checksum": marked("the same message came for many people at once"),
        "uribl": marked("it links to addresses that stand on public block lists"),
        "attachment_fingerprints": marked("a file in it is known to be harmful"),
        "attachment_types": marked("a file in it is of a dangerous kind"),
        "statistics": marked("its words and form resemble unwanted mail"),
        "spamassassin": marked("SpamAssassin takes it for unwanted mail"),
        "cyrillic": marked("it is written in Cyrillic letters"),
        "sinograms": marked("it is written in Chinese, Japanese or Korean characters"),
        "helo": marked("the server it came from does not give its name as it should (HELO)"),
        "display_name": marked("the sender's name shows another address than the real one"),
        "lookalike_domain": marked("the sender's domain looks like another one"),
        "reply_to": marked("answers would go somewhere else than to the sender"),
        "link_text": marked("a link in it leads somewhere else than it says"),
        "credential_form": marked("it asks for a password"),
        "malformed": marked("its technical form is broken"),
    }
)

UNKNOWN = marked("a filter here took it for unwanted mail")


def plain_reason(decided_by: str) -> str:
    """The English fragment for what decided (`Verdict.decided_by`); translated where it is shown."""
    return REASONS.get(decided_by, UNKNOWN)
