"""SpamAssassin's settings, one by one: what each becomes here, what does the same, or why nothing does."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tamis.base.errors import nearest_name
from tamis.contract.lists import Colour, Subject
from tamis.importing.gathering import Fate, Gathering, Line, spread
from tamis.importing.perl_patterns import host_pattern
from tamis.importing.spamassassin_rules import SCALE, RuleGathering
from tamis.importing.spamassassin_words import ELSEWHERE, ELSEWHERE_BEGIN, NONE_BEGIN, PLUGINS

OWN_NETWORKS = ("127.0.0.0/8", "::1/128")
"""The default of platform.networks."""


Handler = Callable[[Gathering, Line, str], None]


def tell_setting(into: Gathering, rules: RuleGathering, line: Line, key: str, value: str) -> None:
    """Take a line that is no rule, and account for it."""
    name = _modern(key)
    if handler := _HANDLERS.get(name):
        handler(into, line, value)
    elif told := ELSEWHERE.get(name):
        into.tell(line, Fate.ELSEWHERE, told)
    elif told := _by_begin(NONE_BEGIN, name):
        into.tell(line, Fate.NONE, told)
    elif told := _by_begin(ELSEWHERE_BEGIN, name):
        into.tell(line, Fate.ELSEWHERE, told)
    else:
        near = nearest_name(name, (*_HANDLERS, *ELSEWHERE))
        hint = f"; did you mean {near}?" if near else ""
        into.tell(line, Fate.NONE, f"no setting that SpamAssassin 4.0 comes with{hint}")


def _modern(key: str) -> str:
    """The name that a setting has since SpamAssassin 4.0."""
    for old, new in (("whitelist", "welcomelist"), ("blacklist", "blocklist")):
        key = key.replace(old, new)
    return _RENAMED.get(key, key)


_RENAMED = {
    "required_hits": "required_score",
    "rewrite_subject": "rewrite_header",
    "auto_learn": "bayes_auto_learn",
}


def _by_begin(table: Mapping[str, str], name: str) -> str:
    return next((told for begin, told in table.items() if name.startswith(begin)), "")


def _number(value: str) -> float | None:
    try:
        return float(value.split(maxsplit=1)[0])
    except (ValueError, IndexError):
        return None


def _required(into: Gathering, line: Line, value: str) -> None:
    number = _number(value)
    if number is None:
        into.tell(line, Fate.NONE, "no number")
        return
    told = f"{number:g} of a scale whose default is 5; Tamis's is 7.5, and so the points of rules"
    into.set_told(line, "policy.required", round(number * SCALE, 2), told=told)


def _enter_all(into: Gathering, line: Line, colour: Colour, patterns: list[str], told: str) -> None:
    """A list entry for each of some patterns; one of them refused is said."""
    refused = [f"{one}: {problem}" for one in patterns if (problem := _entered(into, line, colour, one))]
    done = len(patterns) - len(refused)
    if not patterns:
        into.tell(line, Fate.NONE, "names nobody")
    elif done:
        kept = f"{done} {colour} sender entr{'y' if done == 1 else 'ies'}{'; ' + told if told else ''}"
        into.tell(line, Fate.OVER, "; ".join([kept, *(f"not {one}" for one in refused)]))
    else:
        into.tell(line, Fate.NONE, "; ".join(refused))


def _entered(into: Gathering, line: Line, colour: Colour, pattern: str) -> str:
    if not set("@.*?") & set(pattern):
        return "no address, domain or wildcard pattern"
    return into.enter(colour, Subject.SENDER, pattern, note=line.place)


def _welcome(into: Gathering, line: Line, value: str) -> None:
    _enter_all(into, line, Colour.WHITE, list(spread(value)), "")


def _welcome_if_true(into: Gathering, line: Line, value: str) -> None:
    _authenticated(into)
    _enter_all(
        into,
        line,
        Colour.WHITE,
        list(spread(value)),
        "counts only where SPF or DKIM authenticates the sender (S6b)",
    )


def _welcome_one(into: Gathering, line: Line, value: str) -> None:
    """`welcomelist_from_rcvd ADDRESS RELAY`, `welcomelist_from_dkim ADDRESS [SIGNER]`: the second word is no sender."""
    words = list(spread(value))
    _authenticated(into)
    other = f" instead of by {words[1]}" if len(words) > 1 else ""
    _enter_all(
        into, line, Colour.WHITE, words[:1], f"counts where SPF or DKIM authenticates the sender (S6b){other}"
    )


def _authenticated(into: Gathering) -> None:
    into.set("policy.filters.authenticated_whitelist.state", "on")
    into.set("policy.filters.sender_whitelist.state", "off")


def _block(into: Gathering, line: Line, value: str) -> None:
    _enter_all(into, line, Colour.BLACK, list(spread(value)), "")


def _forget(into: Gathering, line: Line, value: str) -> None:
    words = list(spread(value))
    gone = [one for one in words if into.forget(Subject.SENDER, one)]
    if gone:
        into.tell(line, Fate.OVER, f"{len(gone)} of the entries above left out again")
    else:
        into.tell(line, Fate.SILENT, "takes back nothing that stands above")


def _spared(points: float) -> Handler:
    """Recipients whose mail has a higher limit, or none: policy of the mailbox."""

    def handler(into: Gathering, line: Line, value: str) -> None:
        told: list[str] = []
        refused: list[str] = []
        for one in spread(value):
            if "*" in one or "?" in one or "@" not in one:
                refused.append(f"{one}: patterns of recipients are no mailbox; set the policy of the domain")
                continue
            if points:
                problem = into.set("policy.required", round((5 + points) * SCALE, 2), scope=one.lower())
            else:
                problem = into.set("policy.enabled", False, scope=one.lower())
            (refused if problem else told).append(f"{one}: {problem}" if problem else one)
        if told:
            what = f"required = {(5 + points) * SCALE:g}" if points else "enabled = false"
            into.tell(
                line, Fate.OVER, f"{what} for {', '.join(told)}" + "".join(f"; not {one}" for one in refused)
            )
        else:
            into.tell(line, Fate.NONE, "; ".join(refused) or "names nobody")

    return handler


def _networks(into: Gathering, line: Line, value: str) -> None:
    told: list[str] = []
    refused: list[str] = []
    for one in value.split():
        network = network_of(one)
        if one.startswith("!"):
            refused.append(f"{one}: exceptions of networks are none here")
        elif network is None:
            refused.append(f"{one}: no address or network")
        elif ipaddress.ip_network(network).prefixlen == 0:
            refused.append(f"{one}: it would trust everybody")
        elif problem := into.extend("platform.networks", OWN_NETWORKS, network):
            refused.append(f"{one}: {problem}")
        else:
            told.append(network)
    if told:
        into.tell(
            line,
            Fate.OVER,
            f"platform.networks: {', '.join(told)}" + "".join(f"; not {one}" for one in refused),
        )
    else:
        into.tell(line, Fate.NONE, "; ".join(refused) or "names no network")


def network_of(text: str) -> str | None:
    """An address or network in SpamAssassin's spellings (`10.`, `192.168/16`, `[::1]`); None for anything else."""
    text = text.strip().strip("[]").replace("]/", "/")
    name, slash, bits = text.partition("/")
    if re.fullmatch(r"(\d{1,3}\.){1,3}\d{0,3}|\d{1,3}", name) and name.count(".") < 4:
        octets = [one for one in name.split(".") if one]
        if len(octets) < 4:
            bits = bits or str(8 * len(octets))
            name = ".".join(octets + ["0"] * (4 - len(octets)))
            slash = "/"
    try:
        return str(ipaddress.ip_network(f"{name}{slash}{bits}", strict=False))
    except ValueError:
        return None


def _rewrite(into: Gathering, line: Line, value: str) -> None:
    what, _, text = value.partition(" ")
    if what.lower() != "subject":
        into.tell(line, Fate.NONE, "From and To of a message are never changed")
        return
    if re.search(r"_[A-Z]+(\([^)]*\))?_", text):
        into.tell(line, Fate.ELSEWHERE, "policy.tag is a fixed text; the score is in X-Spam-Status")
        return
    told = 'used where the outcome is "tag": policy.outcome'
    into.set_told(line, "policy.tag", f"{text.strip()} ", told=told)


def _locales(into: Gathering, line: Line, value: str) -> None:
    wanted = set(value.lower().split())
    if not wanted or "all" in wanted:
        into.tell(line, Fate.SILENT, "all scripts are welcome, as here by default")
        return
    told = []
    for name, scripts in (("cyrillic", {"ru"}), ("sinograms", {"zh", "ja", "ko"})):
        if not scripts & wanted:
            into.set(f"policy.filters.{name}.state", "on")
            told.append(f"filters.{name}.state = on")
    into.tell(
        line,
        Fate.OVER if told else Fate.SILENT,
        ", ".join(told) or "Cyrillic and Chinese are welcome, as here",
    )


def _report_safe(into: Gathering, line: Line, value: str) -> None:
    if value.strip() == "0":
        into.tell(line, Fate.ELSEWHERE, "always so: a message is never wrapped in a report")
    else:
        into.tell(
            line,
            Fate.NONE,
            "spam is held, filed or tagged, never wrapped in a report: `tamis history show` explains it",
        )


def _switch(key: str, off: str) -> Handler:
    """A switch whose 0 (or 1) turns a filter off."""

    def handler(into: Gathering, line: Line, value: str) -> None:
        if value.strip().lower() in (off, {"0": "no", "1": "yes"}[off]):
            into.set_told(line, key, "off")
        else:
            into.tell(line, Fate.SILENT, f"as here: {key.rpartition('.')[0]} is on by default")

    return handler


def _bayes_number(into: Gathering, line: Line, value: str) -> None:
    number = _number(value)
    before = into.settings.get("learning.minimum", 0)
    if number is None:
        into.tell(line, Fate.NONE, "no number")
    else:
        into.set_told(
            line, "learning.minimum", max(int(min(number, 1e9)), before), told="of each, ham and spam"
        )


def _auto_learn(into: Gathering, line: Line, value: str) -> None:
    into.set_told(line, "learning.evident", value.strip() not in ("0", "no"))


def _dns_server(into: Gathering, line: Line, value: str) -> None:
    servers = [re.sub(r":53$", "", one).strip("[]") for one in value.split()]
    before = into.settings.get("dns.servers", [])
    into.set_told(line, "dns.servers", [*before, *(one for one in servers if one not in before)])


def _seconds(key: str) -> Handler:
    def handler(into: Gathering, line: Line, value: str) -> None:
        number = _number(value)
        if number is None:
            into.tell(line, Fate.NONE, "no number")
        else:
            into.set_told(line, key, number)

    return handler


def _load(into: Gathering, line: Line, value: str) -> None:
    name = value.split(maxsplit=1)[0].rpartition("::")[2] if value.split() else ""
    told = PLUGINS.get(name)
    if told:
        into.tell(line, Fate.ELSEWHERE, told)
    elif name:
        into.tell(
            line,
            Fate.NONE,
            f"{name} is code in Perl; a filter of your own can do that (docs/writing-a-filter.md)",
        )
    else:
        into.tell(line, Fate.NONE, "names no plugin")


def _uri_hosts(colour: Colour) -> Handler:
    def handler(into: Gathering, line: Line, value: str) -> None:
        hosts = [one for one in value.split() if not one.startswith("(") and re.fullmatch(r"[\w.*-]+", one)]
        if colour is Colour.WHITE or not hosts or value.strip().lower().startswith("(white"):
            into.tell(
                line,
                Fate.ELSEWHERE,
                'hosts of links that are welcome: a rule over urls with action = "accept", if one is needed',
            )
            return
        name = into.name("blocked_link_hosts")
        problem = into.add_rule(
            name,
            {
                "match": [host_pattern(one) for one in hosts[:200]],
                "where": ["urls"],
                "ignore_case": True,
                "action": "score",
                "points": round(5 * SCALE, 2),
                "description": f"{line.text[:150]}",
            },
        )
        into.tell(line, Fate.NONE if problem else Fate.OVER, problem or f"rule {name}, 7.5 points")

    return handler


def _subjects(action: str) -> Handler:
    def handler(into: Gathering, line: Line, value: str) -> None:
        pattern = ".*".join(re.escape(one) for one in value.split("*"))
        name = into.name(f"subject_{action}")
        keys: dict[str, Any] = {
            "match": [pattern],
            "where": ["header:subject"],
            "ignore_case": True,
            "action": action,
        }
        problem = into.add_rule(name, keys) if value else "names nothing"
        into.tell(line, Fate.NONE if problem else Fate.OVER, problem or f"rule {name}")

    return handler


_HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "required_score": _required,
        "welcomelist_from": _welcome,
        "welcomelist_auth": _welcome_if_true,
        "def_welcomelist_auth": _welcome_if_true,
        "welcomelist_from_spf": _welcome_if_true,
        "def_welcomelist_from_spf": _welcome_if_true,
        "welcomelist_from_rcvd": _welcome_one,
        "def_welcomelist_from_rcvd": _welcome_one,
        "welcomelist_from_dkim": _welcome_one,
        "def_welcomelist_from_dkim": _welcome_one,
        "blocklist_from": _block,
        **dict.fromkeys(
            (
                *("unwelcomelist_from", "unwelcomelist_auth", "unwelcomelist_from_rcvd", "unblocklist_from"),
                *("unwelcomelist_from_dkim", "unwelcomelist_from_spf"),
            ),
            _forget,
        ),
        "all_spam_to": _spared(0),
        "welcomelist_to": _spared(6),
        "more_spam_to": _spared(20),
        "trusted_networks": _networks,
        "internal_networks": _networks,
        "msa_networks": _networks,
        "rewrite_header": _rewrite,
        "ok_locales": _locales,
        "report_safe": _report_safe,
        "skip_rbl_checks": _switch("policy.filters.dnsbl.state", "1"),
        "skip_uribl_checks": _switch("policy.filters.uribl.state", "1"),
        "use_bayes": _switch("policy.filters.statistics.state", "0"),
        "use_learner": _switch("policy.filters.statistics.state", "0"),
        "use_bayes_rules": _switch("policy.filters.statistics.state", "0"),
        "use_auto_welcomelist": _switch("policy.filters.automatic_whitelist.state", "0"),
        "use_txrep": _switch("policy.filters.automatic_whitelist.state", "0"),
        "bayes_min_ham_num": _bayes_number,
        "bayes_min_spam_num": _bayes_number,
        "bayes_auto_learn": _auto_learn,
        "dns_server": _dns_server,
        "rbl_timeout": _seconds("dns.deadline"),
        "loadplugin": _load,
        "tryplugin": _load,
        "blocklist_uri_host": _uri_hosts(Colour.BLACK),
        "enlist_uri_host": _uri_hosts(Colour.BLACK),
        "welcomelist_uri_host": _uri_hosts(Colour.WHITE),
        "blocklist_subject": _subjects("spam"),
        "welcomelist_subject": _subjects("accept"),
    }
)
