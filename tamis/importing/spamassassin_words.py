"""What there is to say about SpamAssassin's own rules, plugins and settings: tables, nearest here or why nothing is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_BAYES = (
    "what was learned can't come over: teach with `tamis learn` from the Maildirs (docs/from-spamassassin.md)"
)
_HEADERS = "X-Spam-* headers are written as they are in docs/pages.md; [headers] prefix changes their names"
_EXTERNAL = (
    "no network of checksums is asked; message_checksum (S23) and message_likeness count on this platform"
)

STOCK = (
    (r"BAYES_", "statistics"),
    (r"SPF_|T_SPF|KHOP_HELO_FCRDNS", "spf"),
    (r"DKIM|DKIMWL", "dkim"),
    (r"DMARC", "dmarc"),
    (r"ARC_", "arc"),
    (r"URIBL_|SURBL|DBL", "uribl"),
    (r"RCVD_IN_|RBL|SPAMCOP|DNSWL", "dnsbl"),
    (r"RDNS_|NO_RDNS", "reverse_dns"),
    (r"HELO_", "helo"),
    (r"FREEMAIL|REPLYTO|FORGED_", "reply_to"),
    (r"RAZOR|PYZOR|DCC|DIGEST", "message_checksum"),
    (r"USER_IN_(WHITE|WELCOME)|USER_IN_DEF", "sender_whitelist"),
    (r"USER_IN_(BLACK|BLOCK)", "sender_blacklist"),
    (r"AWL|TXREP", "automatic_whitelist"),
    (r"OLEMACRO|OBFU|T_.*ATTACH", "attachment_types"),
    (r"MISSING_|INVALID_|HEADER|MIME_|DATE_IN|BASE64", "malformed"),
    (r"HTML_|FONT|CSS", "hidden_text"),
    (r"", "knowledge"),
)
"""What SpamAssassin's own rules are called, and the filter here that looks at the same."""

EVALS = MappingProxyType(
    {
        "check_bayes": "statistics",
        "check_for_spf": "spf",
        "check_dkim": "dkim",
        "check_dmarc": "dmarc",
        "check_razor2": "message_checksum",
        "check_pyzor": "message_checksum",
        "check_dcc": "message_checksum",
        "check_from_in_": "sender_whitelist",
        "check_to_in_": "policy of the mailbox",
        "check_for_mime": "malformed",
        "check_mime": "malformed",
        "check_illegal": "malformed",
        "check_for_missing": "malformed",
        "check_for_no_rdns": "reverse_dns",
        "check_for_helo": "helo",
        "check_for_fake": "knowledge",
        "check_freemail": "reply_to",
        "check_fromname": "display_name",
        "check_olemacro": "attachment_types",
        "check_for_html": "hidden_text",
        "html_": "hidden_text",
        "check_subject_in_": "keywords",
        "image_": "image_text",
        "check_uri": "link_text",
    }
)

PLUGINS: Mapping[str, str] = MappingProxyType(
    {
        "SPF": "filter spf (S5)",
        "DKIM": "filter dkim",
        "DMARC": "filter dmarc",
        "URIDNSBL": "filter uribl (S24)",
        "DNSEval": "filter dnsbl (S17)",
        "Bayes": "filter statistics (S27)",
        "AWL": "filter automatic_whitelist (S7)",
        "TxRep": "filter automatic_whitelist (S7)",
        "AutoLearnThreshold": "learning.evident",
        "TextCat": "filters cyrillic (S29) and sinograms (S30)",
        "AntiVirus": "filter antivirus (S1)",
        "FreeMail": "filter reply_to and the base of knowledge",
        "FromNameSpoof": "filter display_name",
        "OLEVBMacro": "filter attachment_types",
        "ImageInfo": "filter image_text (S22)",
        "Phishing": "filters link_text, uribl and sender_complaints (feeds)",
        "DecodeShortURLs": "the base of knowledge's table of shorteners (docs/rules.md)",
        "HeaderEval": "filter malformed (S33)",
        "MIMEEval": "filter malformed (S33)",
        "HTMLEval": "filter hidden_text",
        "RelayEval": "filters helo (S31) and reverse_dns (S11)",
        "URIEval": "filter link_text",
        "WLBLEval": "white and black lists (`tamis lists`)",
        "Shortcircuit": "the chain stops by itself when a verdict can't change (docs/chain.md)",
        "SettingCheck": "the chain itself",
        "BodyEval": "the base of knowledge",
        "MIMEHeader": "rules over shape and attachments",
        "VBounce": "bounces are recognised by their form",
        "ASN": "rules name client networks in lists",
        "WelcomeListSubject": "rules over the subject",
        "WhiteListSubject": "rules over the subject",
        "ReplaceTags": "the place skeleton of rules: letters that look alike are one",
        "ExtractText": "filter image_text (S22) reads images and documents",
    }
)

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "clear_trusted_networks": "platform.networks is what stands in the fragment, and nothing else",
        "clear_internal_networks": "platform.networks is what stands in the fragment, and nothing else",
        "clear_msa_networks": "platform.networks is what stands in the fragment, and nothing else",
        "blocklist_to": "platform.honeypots, where nobody uses the address; else the policy of the mailbox",
        "ok_languages": "filters cyrillic and sinograms look at scripts; a language is a matter for statistics",
        "add_header": _HEADERS,
        "remove_header": _HEADERS,
        "clear_headers": _HEADERS,
        "fold_headers": "headers are folded as RFC 5322 says",
        "subjprefix": "policy.tag",
        "report": "policy.language and the pages: reasons are said to people there",
        "time_limit": "milter.message_deadline",
        "allow_user_rules": "`leave_out` and `points` of rules by policy of a domain or mailbox (docs/rules.md)",
        "bayes_sql_dsn": "one model for all mailboxes; " + _BAYES,
        "bayes_path": _BAYES,
        "bayes_ignore_from": "learning leaves nobody out; lists decide before it",
        "use_razor2": _EXTERNAL,
        "use_pyzor": _EXTERNAL,
        "use_dcc": _EXTERNAL,
        "dns_available": "nothing to set: lists that don't answer are left out by themselves",
        "score": "filters' score",
        "user_scores_dsn": "policy of domains and mailboxes is in the store: `tamis policy set`",
        "normalize_charset": "always so",
        "parse_dkim_uris": "nothing to set",
        "shortcircuit_spam_score": "effect = spam or accept ends the chain, whatever the points",
        "shortcircuit_ham_score": "effect = spam or accept ends the chain, whatever the points",
        "welcomelist_bounce_relays": "bounces are recognised by their form",
        "url_shortener": "the base of knowledge's table of shorteners (docs/rules.md)",
        "redirector_pattern": "redirects are unwrapped (docs/links-and-files.md)",
        "phishing_openphish_feed": "platform.complaint_feeds, for lists of senders; uribl for links",
    }
)

ELSEWHERE_BEGIN: Mapping[str, str] = MappingProxyType(
    {
        "bayes_auto_learn_threshold": "learning.evident: evidence decides what is learned, not a score",
        "bayes_": _BAYES,
        "uridnsbl": "platform.uribl and filters.uribl",
        "clear_uridnsbl": "filters.uribl.leave_out leaves out whole lists",
        "auto_welcomelist": "filter automatic_whitelist (S7)",
        "txrep": "filter automatic_whitelist (S7)",
        "freemail_": "the base of knowledge's table of free mail providers",
        "fns_": "filter display_name",
        "olemacro_": "filter attachment_types",
        "dkim_": "filter dkim",
        "spf_": "filter spf",
        "textcat_": "filters cyrillic and sinograms",
        "extracttext_": "[images]",
        "dns_": "[dns]",
        "report_": "policy.language and the pages",
        "asn_": "lists of client networks",
    }
)

NONE_BEGIN: Mapping[str, str] = MappingProxyType(
    {
        "user_awl": "the database of another program can't be read: senders earn their place anew (S7)",
        "bayes_sql": _BAYES,
        "user_scores_": "settings of users in another database: set their policies with `tamis policy set`",
        "clear_report": "there are no report templates: `tamis history show` explains a verdict",
        "unsafe_report": "there are no report templates",
        "clear_unsafe": "there are no report templates",
        "envelope_sender_header": "Postfix tells the envelope sender, so no header is believed for it",
        "originating_ip_headers": "Postfix tells the client; what headers say of it is not believed",
        "always_trust_envelope": "Postfix tells the envelope sender",
        "util_rb": "registered domains go by the public suffix list",
        "clear_util_rb": "registered domains go by the public suffix list",
        "geodb": "no filter goes by countries",
        "country_db": "no filter goes by countries",
        "uri_country": "no filter goes by countries",
        "uri_block": "no filter goes by the country or provider of a link's host",
        "replace_": "tags in patterns: write the patterns out, or use the place skeleton",
        "razor_": "no network of checksums is asked",
        "pyzor_": "no network of checksums is asked",
        "dcc": "no network of checksums is asked",
        "spamcop_": "reports go to nobody by themselves",
        "hashbl_": "lists of hashes of addresses are not asked",
        "resource_limit": "bounds are fixed (docs/bounds.md)",
        "url_shortener_": "short links are not followed: nothing is fetched for a message",
        "max_short_url": "short links are not followed",
        "clear_url_shortener": "short links are not followed",
        "authres_": "headers of others are believed by DMARC's trusted_arc only",
        "require_version": "a version of SpamAssassin",
        "enable_compat": "a version of SpamAssassin",
        "version_tag": "a name of a configuration",
        "lock_method": "a file of SpamAssassin's",
        "mbox_format": "a matter of its command line",
        "ignore_always_matching": "patterns are checked when they are read",
        "body_part_scan_size": "bounds are fixed (docs/bounds.md)",
        "rawbody_part_scan_size": "bounds are fixed (docs/bounds.md)",
        "enlist_addrlist": "lists of addresses for Perl's rules: `tamis lists` has senders",
        "delist_uri_host": "hosts of links in lists of SpamAssassin's own",
        "welcomelist_allows_relays": "it softens SpamAssassin's check of forged list entries, which is none here",
        "adsp_override": "ADSP is historic (RFC 5617); DMARC took its place",
        "trigger_": "links are never changed in a message",
        "run_reuse_tests_only": "a matter of mass checks",
        "do_not_use_mail_spf": "a choice of libraries",
        "ignore_received_spf": "headers of others are not believed",
        "use_newest_received_spf": "headers of others are not believed",
        "inactive_languages": "no filter goes by languages",
        "dmarc_save_reports": "reports of DMARC are not sent",
        "phishing_": "feeds of links are not read",
        "rbl_headers": "addresses in headers are not looked up",
        "uri_local": "no filter goes by countries",
    }
)


def stock_filter(name: str) -> str:
    """The filter that looks at what a rule of SpamAssassin's own looks at."""
    return next(one for pattern, one in STOCK if re.search(pattern, name))
