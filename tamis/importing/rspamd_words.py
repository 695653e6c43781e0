"""What there is to say about rspamd's modules and symbols: tables of what is nearest here, or why nothing is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

SCALE = 7.5 / 6
"""Points here for one there: the limits from which a message is spam by default are 7.5 and 6 (add_header)."""

_NO_BAYES = (
    "what was learned can't come over: teach with `tamis learn` from the Maildirs (docs/from-rspamd.md)"
)

MODULES: Mapping[str, tuple[bool, str]] = MappingProxyType(
    {
        "antivirus": (True, "[antivirus] engines"),
        "arc": (True, "filter arc verifies; sealing is for a signer beside Tamis (docs/guides/signing.md)"),
        "asn": (False, "no filter goes by autonomous systems"),
        "aws_s3": (False, "messages are exported nowhere"),
        "bayes_expiry": (True, "the statistical filter forgets by itself"),
        "bimi": (False, "logos are not looked up"),
        "cgp": (False, "another mail server"),
        "chartable": (True, "look-alike letters are one for rules (place skeleton); filter lookalike_domain"),
        "classifier-bayes": (True, "filter statistics; " + _NO_BAYES),
        "clickhouse": (False, "the history is in the store: `tamis history`"),
        "dcc": (True, "message_checksum (S23) counts on this platform; no network of checksums is asked"),
        "dkim": (True, "filter dkim"),
        "dmarc": (True, "filter dmarc; reports are not sent"),
        "elastic": (False, "the history is in the store: `tamis history`"),
        "emails": (True, "filter reply_to; lists of addresses are not asked"),
        "external_relay": (True, "platform.networks, and XCLIENT or the proxy protocol at Postfix"),
        "external_services": (
            True,
            "[antivirus] engines, filter spamassassin; others as filters of your own",
        ),
        "fann_redis": (True, "filter statistics"),
        "forged_recipients": (True, "the base of knowledge"),
        "fuzzy_check": (
            True,
            "message_checksum (S23), message_likeness and marked_spam count on this platform",
        ),
        "hfilter": (True, "filters helo (S31) and reverse_dns (S11)"),
        "history_redis": (True, "[history]"),
        "http_headers": (False, "there is no HTTP interface for checks: `tamis scan`"),
        "known_senders": (True, "filter automatic_whitelist (S7)"),
        "logging": (True, "[log] level"),
        "maillist": (True, "filter newsletter"),
        "metadata_exporter": (False, "nothing is sent elsewhere: `tamis history list --json`"),
        "metric_exporter": (True, "[metrics] listen (Prometheus)"),
        "mid": (True, "the base of knowledge"),
        "mime_types": (True, "filter attachment_types, and its table of dangerous names"),
        "mx_check": (True, "filter sender_mx (S16)"),
        "neural": (True, "filter statistics"),
        "once_received": (True, "filter reverse_dns and the base of knowledge"),
        "p0f": (False, "no filter goes by the client's operating system"),
        "phishing": (True, "filters link_text, lookalike_domain and uribl"),
        "ratelimit": (True, "filter rate_limit: client_messages, user_messages"),
        "redis": (True, "state.url"),
        "replies": (True, "filter automatic_whitelist (S7): who was written to is known"),
        "reputation": (True, "filter automatic_whitelist (S7)"),
        "rspamd_update": (False, "`tamis knowledge update` takes a newer base"),
        "spamassassin": (True, "read the file with `tamis import spamassassin`"),
        "spamtrap": (True, "platform.honeypots"),
        "spf": (True, "filter spf"),
        "statistic": (True, "filter statistics; " + _NO_BAYES),
        "trie": (True, "rules"),
        "url_redirector": (True, "redirects that name their target are unwrapped; nothing is fetched"),
        "worker-controller": (True, "[web]; commands instead of an HTTP interface"),
        "worker-fuzzy": (False, "no storage for others"),
        "worker-normal": (True, "[milter]"),
        "worker-proxy": (True, "[milter] socket; `smtpd_milters` in main.cf"),
        "worker": (True, "[milter]"),
    }
)
"""By module: whether something does the same here, and what, or why nothing does."""

_SYMBOLS = (
    (r"BAYES|NEURAL", "statistics"),
    (r"SPF", "spf"),
    (r"DKIM", "dkim"),
    (r"DMARC", "dmarc"),
    (r"ARC_", "arc"),
    (r"DBL|SURBL|URIBL|URL", "uribl"),
    (r"RBL|SPAMHAUS|RCVD_IN|MAILSPIKE|DNSWL", "dnsbl"),
    (r"HFILTER_HELO|HELO", "helo"),
    (r"HFILTER|RDNS", "reverse_dns"),
    (r"FUZZY", "message_checksum"),
    (r"PHISH", "link_text"),
    (r"MIME|ATTACH|ARCHIVE|EXTENSION", "attachment_types"),
    (r"REPLYTO|FREEMAIL", "reply_to"),
    (r"FORGED|SPOOF", "display_name"),
    (r"GREYLIST", "greylisting"),
    (r"CLAM|VIRUS", "antivirus"),
    (r"MAILLIST", "newsletter"),
    (r"MX_", "sender_mx"),
    (r"", "knowledge"),
)


def symbol_filter(name: str) -> str:
    """The filter that looks at what a symbol of rspamd's own looks at."""
    return next(one for pattern, one in _SYMBOLS if re.search(pattern, name.upper()))
