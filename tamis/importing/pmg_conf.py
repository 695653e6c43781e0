"""The files of /etc/pmg: each line, and what it becomes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType

from tamis.importing.gathering import Fate, Gathering, Line
from tamis.importing.pmg_dump import PmgInput
from tamis.settings.dns_lists import DNSBL

OWN_NETWORKS = ("127.0.0.0/8", "::1/128")
"""The default of platform.networks."""

_KEYS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("admin", "email"): "Postfix's postmaster; notices.sender",
        ("admin", "dailyreport"): "`tamis status`, [metrics]",
        ("admin", "statlifetime"): "history.days",
        ("admin", "clamav"): "[antivirus] engines",
        ("admin", "avast"): "[antivirus] engines, over clamd's protocol alone",
        ("admin", "dkim_sign"): "Tamis signs nothing: OpenDKIM beside it, with the keys of /etc/pmg/dkim",
        ("admin", "dkim_selector"): "Tamis signs nothing: OpenDKIM beside it, with the keys of /etc/pmg/dkim",
        ("spam", "bounce_score"): "bounces are recognised by their form",
        ("spam", "clamav_heuristic_score"): "filters.antivirus.effect",
        ("spam", "maxspamsize"): "milter.max_examined",
        (
            "spam",
            "use_razor",
        ): "message_checksum (S23) counts on this platform; no network of checksums is asked",
        ("spam", "languages"): "filters cyrillic and sinograms look at scripts",
        ("spam", "wl_bounce_relays"): "bounces are recognised by their form",
        ("mail", "dnsbl_threshold"): "filters.dnsbl: share, least (docs/dns-lists.md)",
        ("mail", "helotests"): "filter helo (S31)",
        ("mail", "rejectunknown"): "filter reverse_dns (S11)",
        ("mail", "rejectunknownsender"): "filter sender_mx (S16)",
        ("mail", "maxsize"): "Postfix: message_size_limit",
        ("mail", "before_queue_filtering"): "always so: a milter decides before the queue",
        ("mail", "message_rate_limit"): "filter rate_limit",
        ("spamquar", "authmode"): "[web]: a mailed link, or the mailbox's password over IMAP",
        ("spamquar", "reportstyle"): "policy.digest",
        ("spamquar", "hostname"): "web.url",
        ("spamquar", "port"): "web.url",
        ("spamquar", "protocol"): "web.url",
        ("spamquar", "mailfrom"): "notices.sender",
        ("spamquar", "viewimages"): "previews load nothing",
        ("spamquar", "allowhrefs"): "previews show links as text",
        ("virusquar", "lifetime"): "policy.retention_days",
    }
)
_SECTIONS: Mapping[str, tuple[Fate, str]] = MappingProxyType(
    {
        "mail": (Fate.ELSEWHERE, "Postfix's own: main.cf and master.cf"),
        "clamav": (Fate.ELSEWHERE, "clamd.conf"),
        "admin": (Fate.NONE, "how the other gateway runs"),
        "spam": (Fate.NONE, "a setting of its SpamAssassin"),
        "spamquar": (Fate.NONE, "how the other gateway's pages look"),
        "virusquar": (Fate.NONE, "how the other gateway's pages look"),
    }
)
_SWITCHES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("mail", "spf"): "spf",
        ("mail", "greylist"): "greylisting",
        ("spam", "use_bayes"): "statistics",
        ("spam", "use_awl"): "automatic_whitelist",
        ("spam", "rbl_checks"): "dnsbl",
    }
)


def tell_files(found: PmgInput, into: Gathering) -> None:
    """Account for every line of the files."""
    for name, text in found.files.items():
        section = ""
        for number, raw in enumerate(text.split("\n"), 1):
            line, words = Line(f"{name}:{number}", raw.strip()), raw.split()
            if not words or raw.lstrip().startswith("#"):
                into.tell(line, Fate.SILENT)
            elif name == "pmg.conf" and words[0].startswith("section:"):
                section = raw.partition(":")[2].strip()
                into.tell(line, Fate.SILENT, "a section")
            elif name == "pmg.conf":
                _key(into, line, section, words[0], " ".join(words[1:]))
            elif name == "domains":
                into.set_told(
                    line, "platform.domains", [*into.settings.get("platform.domains", []), words[0].lower()]
                )
            elif name == "mynetworks":
                _network(into, line, words[0])
            elif name == "dkim/domains":
                into.hints.append(f"OpenDKIM: SigningTable *@{words[0]}, with the key of /etc/pmg/dkim")
                into.tell(line, Fate.ELSEWHERE, "OpenDKIM beside Tamis: SigningTable")
            else:
                into.tell(line, Fate.ELSEWHERE, _FILES.get(name, "no file that says what mail is wanted"))


_FILES: Mapping[str, str] = MappingProxyType(
    {
        "transport": "Postfix: transport_maps",
        "tls_policy": "Postfix: smtp_tls_policy_maps",
        "user.conf": "web.administrators",
    }
)


def _network(into: Gathering, line: Line, text: str) -> None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        into.tell(line, Fate.NONE, "no network")
        return
    problem = (
        "it would trust everybody"
        if network.prefixlen == 0
        else into.extend("platform.networks", OWN_NETWORKS, str(network))
    )
    into.tell(line, Fate.NONE if problem else Fate.OVER, problem or f"platform.networks: {network}")


def _key(into: Gathering, line: Line, section: str, key: str, value: str) -> None:
    if name := _SWITCHES.get((section, key)):
        state = "on" if value.strip() in ("1", "yes", "on", "true") else "off"
        into.set_told(line, f"policy.filters.{name}.state", state)
    elif (section, key) == ("spamquar", "lifetime") and value.isdecimal():
        into.set_told(line, "policy.retention_days", int(value))
    elif (section, key) == ("mail", "dnsbl_sites"):
        _lists(into, line, value)
    elif told := _KEYS.get((section, key)):
        into.tell(line, Fate.ELSEWHERE, told)
    else:
        fate, told = _SECTIONS.get(section, (Fate.NONE, "no section that is known"))
        into.tell(line, fate, told)


def _lists(into: Gathering, line: Line, value: str) -> None:
    """postscreen's lists: a weight below 0 is one of welcome clients."""
    told: list[str] = []
    refused: list[str] = []
    for one in value.replace(",", " ").split():
        text, _, weight = one.partition("*")
        zone, _, codes = text.partition("=")
        known = any(zone == listed.partition("=")[0].removesuffix("+ip") for listed in DNSBL)
        wanted = f"{zone}={codes}" if codes and "[" not in codes else zone
        problem = "lists of welcome clients are not asked" if weight.startswith("-") else ""
        if not problem and not known:
            problem = into.extend("platform.dnsbl", DNSBL, wanted)
        (refused if problem else told).append(f"{zone}: {problem}" if problem else zone)
    into.tell(
        line,
        Fate.OVER if told else Fate.NONE,
        "; ".join([f"platform.dnsbl: {', '.join(told)}"] * bool(told) + [f"not {one}" for one in refused]),
    )
