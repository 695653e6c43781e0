"""Services that wrap links: undone in one place, for every filter that asks.

Each row of `WRAPPERS` is a service whose way of writing is known, so what `unwrapped` gives may excuse a link: the
service itself leads there. What any other page may lead on to is `redirects.led_to`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from tamis.message.mail.written_links import CHARACTERS, as_link, octets_of, parameters_of, parts_of, plain

MOST_NESTED = 6
"""Wrappers within wrappers that are undone. Beyond: the innermost that was found counts; `too_many_targets`."""

Reads = Callable[[str, str, str], str]
"""A link's host, path and query (with the fragment) -> what it leads to as written there; '' when it is not that."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One way of writing. ``example`` leads to ``target``; '' means that only the service knows where (opaque).

    ``hosts`` are matched with everything below them; one that begins with "~" is a regular expression of the whole.
    ``source`` says where the way of writing was read. ``guards``: a mail gateway writes such links, into others' mail.
    """

    name: str
    hosts: tuple[str, ...]
    reads: Reads | None
    source: str
    example: str
    target: str
    guards: bool = False


def _parameter(*names: str, path: str = "") -> Reads:
    """The first of the parameters `names` that has a value, on any path or on one that `path` matches."""
    allowed = re.compile(path, re.IGNORECASE) if path else None

    def reads(host: str, at: str, query: str) -> str:
        if allowed is not None and not allowed.match(at):
            return ""
        found = dict(reversed(list(parameters_of(query))))
        return next((unquote(found[name]) for name in names if found.get(name)), "")

    return reads


def _in_path(pattern: str) -> Reads:
    """The first group of `pattern` in path and query, percent-decoded."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def reads(host: str, at: str, query: str) -> str:
        found = compiled.match(f"{at}?{query}" if query else at)
        return unquote(found[1]) if found else ""

    return reads


def _in_base64(*names: str, strip: str = "") -> Reads:
    """A parameter in base64, `strip` before it."""
    parameter = _parameter(*names)

    def reads(host: str, at: str, query: str) -> str:
        value = parameter(host, at, query)
        return plain(value.removeprefix(strip)) or (plain(value) if strip else "")

    return reads


def _proofpoint_2(host: str, at: str, query: str) -> str:
    """Version 2 writes "-" for "%" and "_" for "/"."""
    if not at.startswith("/v2/"):
        return ""
    value = dict(reversed(list(parameters_of(query)))).get("u", "")
    return unquote(unquote(value).replace("-", "%").replace("_", "/"))


_V3 = re.compile(r"/v3/__(.{1,4096}?)__;([A-Za-z0-9_=-]*)", re.DOTALL)
_V3_REPLACED = re.compile(r"\*(\*.)?")
_V3_RUN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _proofpoint_3(host: str, at: str, query: str) -> str:
    """Version 3 writes "*" for a character, "**X" for a run of them, which stand in base64 behind "__;"."""
    found = _V3.match(f"{at}?{query}" if query else at)
    if found is None:
        return ""
    replaced = iter(octets_of(found[2]).decode("utf-8", "replace"))

    def put(match: re.Match[str]) -> str:
        length = 1 if match[1] is None else _V3_RUN.find(match[1][1]) + 2
        return "".join(character for _, character in zip(range(length), replaced, strict=False))

    return _V3_REPLACED.sub(put, found[1])


def _mandrill(host: str, at: str, query: str) -> str:
    """The target stands in JSON in JSON in base64. The host in the path is for show."""
    told = plain(_parameter("p")(host, at, query))
    found = re.search(r"https?:(?:\\*/){2}[^\"\\\s]{3,500}(?:\\+/[^\"\\\s]{0,500}){0,20}", told)
    return found[0].replace("\\", "") if found else ""


def _mailinblack(host: str, at: str, query: str) -> str:
    """The target stands in JSON in base64; the parameter "url" has its host only, and is for show."""
    try:
        told = json.loads(plain(_parameter("key", path=r"/securelink/?$")(host, at, query)) or "null")
    except (ValueError, RecursionError):
        return ""
    target = told.get("url") if isinstance(told, dict) else ""
    return target if isinstance(target, str) else ""


def _of_label(label: str) -> str:
    """The host that a label stands for: "-" for a dot, "--" for "-"; '' when there is no dot in it."""
    host = _DOT.sub(".", label).replace("--", "-")
    return host if "." in host else ""


_DOT = re.compile(r"\b-\b", re.ASCII)


def _in_label(host: str, at: str, query: str) -> str:
    """The host as the first label."""
    original = _of_label(host.partition(".")[0])
    return original and f"{original}{at}?{query}".rstrip("?")


def _before_suffix(suffix: str) -> Reads:
    """The host as what stands before the service's own name."""

    def reads(host: str, at: str, query: str) -> str:
        original = host.removesuffix(suffix).rstrip(".")
        return f"{original}{at}?{query}".rstrip("?") if "." in original else ""

    return reads


def _translated(host: str, at: str, query: str) -> str:
    """The host as the first label, its beginning in `_x_tr_hp`, prefixes that `_x_tr_enc` tells of."""
    found = dict(reversed(parse_qsl(query.partition("#")[0])))  # as the service reads them: the first counts
    encodings = found.get("_x_tr_enc", "").split(",")
    label = found.get("_x_tr_hp", "") + host.partition(".")[0]
    if _LABEL.fullmatch(label) is None:
        return ""
    if "1" in encodings:
        label = label.removeprefix("1-")
    international = "0" in encodings and label.startswith("0-")
    original = _of_label(label.removeprefix("0-") if international else label)
    return original and f"{'xn--' * international}{original}{at}?{query}".rstrip("?")


_LABEL = re.compile(r"[A-Za-z0-9_-]{1,300}")


MCAS = "public source text of browser extensions: bypassMcasProxy() in background.js, PROXY_SUFFIXES in one for Teams"
KACHI = "github.com/ninoseki/kachi, rules"
URLPURIFY = "github.com/macieklamberski/urlpurify, README"
CLEARURLS = "github.com/ClearURLs/Rules, data.min.json"
RSPAMD = "github.com/rspamd/rspamd, conf/maps.d/redirectors.inc"
SPAMASSASSIN = "SpamAssassin, rules/25_url_redirectors.cf"
SHORTENERS = "SpamAssassin, rules/25_url_shortener.cf"

_GOOGLE = r"~(?:[a-z0-9-]+\.)*google\.(?:com?\.)?[a-z]{2,3}"

WRAPPERS: tuple[Wrapper, ...] = (
    Wrapper(
        "Defender for Cloud Apps, asking for a certificate",
        ("mcas-proxyweb.mcas.ms",),
        _parameter("originalurl"),
        MCAS,
        "https://mcas-proxyweb.mcas.ms/certificate-checker?login=false&originalUrl=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Defender for Cloud Apps",
        ("mcas.ms",),
        _before_suffix("mcas.ms"),
        MCAS,
        "https://www.shop.example.mcas.ms/a?McasTsid=20893",
        "https://www.shop.example/a?McasTsid=20893",
    ),
    Wrapper(
        "Outlook Safelinks",
        ("safelinks.protection.outlook.com", "safelinks.protection.office365.us"),
        _parameter("url"),
        KACHI,
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fshop.example%2Fa&data=05%7C02",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Teams Safelinks",
        ("teams.cdn.office.net", "teams.public.onecdn.static.microsoft"),
        _parameter("url", path=r".*safelinks"),
        "github.com/aloneguid/bt, issues 127 and 234; github.com/wtimme/firefox-remove-safelinks, pull request 1",
        "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url=https%3A%2F%2Fshop.example",
        "https://shop.example",
        guards=True,
    ),
    Wrapper(
        "Proofpoint URL Defense, version 1",
        ("urldefense.proofpoint.com", "urldefense.com", "urldefense.us"),
        _parameter("u", path=r"/v1/"),
        KACHI,
        "https://urldefense.proofpoint.com/v1/url?u=http://shop.example/a&k=oI%3D&r=I",
        "http://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Proofpoint URL Defense, version 2",
        ("urldefense.proofpoint.com", "urldefense.com", "urldefense.us"),
        _proofpoint_2,
        KACHI,
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__shop.example_a-3Fb-3D1&d=DwMFAg",
        "https://shop.example/a?b=1",
        guards=True,
    ),
    Wrapper(
        "Proofpoint URL Defense, version 3",
        ("urldefense.proofpoint.com", "urldefense.com", "urldefense.us"),
        _proofpoint_3,
        KACHI,
        "https://urldefense.com/v3/__https:/shop.example/*c__;fg!!AbC-_dEf!x$",
        "https://shop.example/~c",
        guards=True,
    ),
    Wrapper(
        "Mimecast",
        ("mimecast.com", "mimecastprotect.com"),
        None,
        RSPAMD,
        "https://url.uk.m.mimecastprotect.com/s/AbCdEf",
        "",
        guards=True,
    ),
    Wrapper(
        "Barracuda Link Protection",
        ("linkprotect.cudasvc.com",),
        _parameter("a"),
        KACHI,
        "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fshop.example%2fa&c=E,1,x&typo=1",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Cisco Secure Email",
        ("secure-web.cisco.com",),
        _in_path(r"/[^/]{1,2000}/(https?(?:%3a|:).{1,4000})"),
        "github.com/emalderson/ThePhish, issue 27",
        "https://secure-web.cisco.com/1AbC-dEf/https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Sophos Time of Click",
        ("protection.sophos.com",),
        _in_base64("u"),
        KACHI,
        "https://eu-west-1.protection.sophos.com/?d=shop.example&u=aHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ==&p=m",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Trend Micro Time-of-Click",
        ("trendmicro.com",),
        _parameter("url", path=r"/(?:wis/)?clicktime/"),
        KACHI,
        "https://imsva91-ctp.trendmicro.com/wis/clicktime/v1/query?url=https%3a%2f%2fshop.example%2fa&umid=1",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Symantec Click-time Protection",
        ("clicktime.symantec.com",),
        _parameter("u"),
        "knowledge.broadcom.com/external/article/163838: the original follows, percent-encoded",
        "https://clicktime.symantec.com/3AbC?u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Trellix (FireEye)",
        ("protect.fireeye.com", "protect2.fireeye.com"),
        _parameter("u"),
        KACHI,
        "https://protect2.fireeye.com/v1/url?k=1-2&q=1&e=3&u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Check Point (Avanan)",
        ("url.avanan.click", "protect.checkpoint.com"),
        _in_path(r"/v2/(?:r\d{2}/)?___(.{1,4000}?)___\."),
        "blog.checkpoint.com, click-time protection, replaced URL domain change; avanan.com, click-time URL format",
        "https://url.avanan.click/v2/___https://shop.example/a___.YXAzOnRlc3Q",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "EdgePilot",
        ("link.edgepilot.com",),
        _parameter("u", path=r"/(?:s/[0-9a-f]{1,60}|x)/[\w-]{1,200}$"),
        "github.com/macieklamberski/urlpurify, src/unwraps/edgepilot.ts",
        "https://link.edgepilot.com/s/4239f747/AbC-dEf?u=https://shop.example/a",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "EsvaLabs URL Sandbox",
        ("urlsand.esvalabs.com",),
        _parameter("u"),
        KACHI,
        "https://urlsand.esvalabs.com/?u=https%3A%2F%2Fshop.example%2Fa&e=1",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Trustwave MailMarshal",
        ("scanmail.trustwave.com",),
        _parameter("u"),
        "github.com/macieklamberski/urlpurify, unwrapTrustwaveScanmail",
        "https://scanmail.trustwave.com/?c=20988&d=AbC&u=https%3a%2f%2fshop%2eexample%2fa",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "TitanHQ LinkLock",
        ("linklock.titanhq.com",),
        _parameter("url", path=r"/analyse/?$"),
        "github.com/macieklamberski/urlpurify, unwrapTitanhqLinklock",
        "https://linklock.titanhq.com/analyse?url=https%3A%2F%2Fshop.example%2Fa&data=AbC",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Vade Secure",
        ("vadesecure.com",),
        _parameter("u", path=r"/(?:safeproxy/)?v[0-9]/?$"),
        "github.com/macieklamberski/urlpurify, unwrapVadeSecure",
        "https://antiphishing.vadesecure.com/v4?f=AbC&i=1&k=x&r=y&s=z&u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Hornetsecurity",
        ("atpscan.global.hornetsecurity.com",),
        _parameter("u"),
        "github.com/macieklamberski/urlpurify, unwrapHornetsecurity",
        "http://atpscan.global.hornetsecurity.com/?d=AbC&f=AbC&i=&k=zA1z&u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "Mailinblack",
        ("mailinblack.com",),
        _mailinblack,
        "github.com/macieklamberski/urlpurify, unwrapMailinblack",
        "https://mibc-fr-1.mailinblack.com/securelink/?url=https://shop.example&key=eyJ1cmwiOiJodHRwczovL3Nob3AuZXhhbXBsZS9hIn0",
        "https://shop.example/a",
        guards=True,
    ),
    Wrapper(
        "INKY, Intermedia",
        ("outlook.inky.com", "url.emailprotection.link"),
        None,
        "public source texts and documents that hold such links",
        "https://shared.outlook.inky.com/link?domain=shop.example&t=h.AbC",
        "",
        guards=True,
    ),
    Wrapper(
        "other mail gateways",
        (
            *(
                "mimecast-offshore.com",
                "hornetsecurity.com",
                "vadesecure.com",
                "titanhq.com",
                "mailinblack.com",
            ),
            *("trustwave.com", "scanmailx.com", "urlisolation.com", "mailanyone.net", "urldefender.com"),
        ),
        None,
        RSPAMD,
        "https://linklock.titanhq.com/analyse?data=AbCdEf",
        "",
        guards=True,
    ),
    Wrapper(
        "Azure, mail of",
        ("emails.azure.microsoft.com",),
        _parameter("destination", path=r"/redirect"),
        KACHI,
        "https://emails.azure.microsoft.com/redirect/?destination=https%3A%2F%2Fshop.example%2Fa&p=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "webmail of GMX, WEB.DE, mail.com and 1&1",
        (
            *(
                "deref-gmx.net",
                "deref-gmx.com",
                "deref-gmx.co.uk",
                "deref-gmx.fr",
                "deref-web.de",
                "deref-web-02.de",
            ),
            *(
                "deref-mail.com",
                "deref-mail-02.com",
                "deref-1und1.de",
                "deref-1und1-02.de",
                "lightmailer.mail.com",
            ),
            *("3c.gmx.net", "3c-bs.gmx.com", "3c-bs.gmx.es", "3c.web.de", "3c-bap.web.de", "3c-lxa.mail.com"),
        ),
        _parameter("redirecturl", path=r"/mail/client/.{0,60}dereferrer|/[\w-]{1,60}/deref/$"),
        "github.com/macieklamberski/urlpurify, src/unwraps/derefMail.ts",
        "https://deref-gmx.net/mail/client/AbC/dereferrer/?redirectUrl=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "webmail of Rambler",
        ("mail.rambler.ru",),
        _parameter("url", path=r"/m/redirect"),
        URLPURIFY,
        "https://mail.rambler.ru/m/redirect?url=https%3A%2F%2Fshop.example%2Fa&hash=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "webmail of Rediff",
        ("rediffmail.com",),
        _parameter("red", path=r"/cgi-bin/red\.cgi"),
        URLPURIFY,
        "https://www.rediffmail.com/cgi-bin/red.cgi?red=https%3A%2F%2Fshop.example%2Fa&isImage=0",
        "https://shop.example/a",
    ),
    Wrapper(
        "webmail of Yandex",
        ("~mail\\.yandex\\.[a-z]{2,3}",),
        _in_base64("l"),
        URLPURIFY,
        "https://mail.yandex.ru/re.jsx?l=aHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ",
        "https://shop.example/a",
    ),
    Wrapper(
        "pages that a site is left by",
        (
            *(
                "exit.sc",
                "go.bsky.app",
                "getpocket.com",
                "medium.com",
                "flipboard.com",
                "hackerone.com",
                "disq.us",
            ),
            *(
                "dropbox.com",
                "calendly.com",
                "tiktok.com",
                "canva.com",
                "evernote.com",
                "yelp.com",
                "hashnode.com",
            ),
            *(
                "ftc.gov",
                "apps.irs.gov",
                "help.sap.com",
                "skyrock.com",
                "dzen.ru",
                "douban.com",
                "link.csdn.net",
            ),
            *(
                "link.juejin.cn",
                "gitee.com",
                "curseforge.com",
                "linksynergy.com",
                "gate.sc",
                "smartredirect.de",
            ),
        ),
        _parameter(
            *("url", "u", "q", "target", "dest", "external_url", "site", "to", "remoteurl", "murl"),
            path=(
                r"/(?:url|redirect|referrer_cleansing_redirect|r/?|link.{0,8}|OutboundRedirect\.action|biz_redir|redir"
                r"|util/redirect|now-leaving|app/scripts/exit\.jsp|docs/link-disclaimer|away|linkout|deeplink)?/?$"
            ),
        ),
        f"{URLPURIFY}; {CLEARURLS}",
        "https://www.tiktok.com/link/v2?target=https%3A%2F%2Fshop.example%2Fa&scene=bio_url",
        "https://shop.example/a",
    ),
    Wrapper(
        "eBay",
        ("~rover\\.ebay(?:\\.[a-z]{2,3}){1,2}",),
        _parameter("mpre", path=r"/rover"),
        CLEARURLS,
        "https://rover.ebay.com/rover/1/711/1?mpre=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "ResearchGate",
        ("researchgate.net",),
        _in_path(r"/deref/(.{4,4000})"),
        URLPURIFY,
        "https://www.researchgate.net/deref/https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Google, redirect",
        (_GOOGLE,),
        _parameter("q", "url", path=r"(?:/news)?/+url$|/scholar_url$"),
        f"{CLEARURLS}; {URLPURIFY}",
        "https://www.google.com/url?sa=t&q=https%3A%2F%2Fshop.example%2Fa&usg=x",
        "https://shop.example/a",
    ),
    Wrapper(
        "Google, other redirects",
        (_GOOGLE, "googleadservices.com", "doubleclick.net"),
        _parameter(
            "adurl",
            "dest",
            "imgurl",
            "imgrefurl",
            "u",
            path=r"/(?:pagead/|aclk|linkredirect|imgres|translate|amp/)",
        ),
        CLEARURLS,
        "https://www.googleadservices.com/pagead/aclk?sa=L&adurl=https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Google AMP",
        (_GOOGLE,),
        _in_path(r"/amp/(?:s/)?(.{4,4000})"),
        "developers.google.com/amp/cache/overview",
        "https://www.google.com/amp/s/shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "AMP cache",
        ("cdn.ampproject.org",),
        _in_path(r"/(?:c|v|r|i|ii|wp)/(?:s/)?(.{4,4000})"),
        "developers.google.com/amp/cache/overview",
        "https://shop-example.cdn.ampproject.org/c/s/shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "AMP cache, by its host",
        ("cdn.ampproject.org",),
        _in_label,
        "developers.google.com/amp/cache/overview",
        "https://shop-example.cdn.ampproject.org/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Google Translate",
        ("translate.goog",),
        _translated,
        "developers.google.com/search/docs/advanced/appearance/ad-network-and-translation",
        "https://shop-example.translate.goog/a?_x_tr_sl=auto",
        "https://shop.example/a?_x_tr_sl=auto",
    ),
    Wrapper(
        "Campaign Manager click",
        ("doubleclick.net",),
        _in_path(r"/ddm/(?:track)?clk/.{0,2000}?\?(https?[:%].{4,4000})"),
        "groups.google.com/g/google-doubleclick-for-advertisers-api, c/djfxCN0gPe0: click tracker tag",
        "https://ad.doubleclick.net/ddm/clk/1;2;3?https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Bing, search result",
        ("bing.com",),
        _in_base64("u", strip="a1"),
        URLPURIFY,
        "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ&ntb=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Yahoo, search result",
        ("search.yahoo.com", "search.yahoo.co.jp"),
        _in_path(r".{0,2000}?/RU=([^/]{4,4000})"),
        URLPURIFY,
        "https://r.search.yahoo.com/_ylt=A0/RV=2/RE=1/RO=10/RU=https%3a%2f%2fshop.example%2fa/RK=2/RS=x",
        "https://shop.example/a",
    ),
    Wrapper(
        "DuckDuckGo",
        ("duckduckgo.com",),
        _parameter("uddg", path=r"/l/?$"),
        CLEARURLS,
        "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fshop.example%2Fa&rut=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Yandex",
        ("yandex.ru", "yandex.com", "yandex.net"),
        _parameter("url", "to", path=r"/(?:clck/)?(?:js)?redir"),
        SPAMASSASSIN,
        "https://sba.yandex.net/redirect?url=https%3A%2F%2Fshop.example%2Fa&client=mail",
        "https://shop.example/a",
    ),
    Wrapper(
        "Facebook, Messenger, Instagram, WhatsApp",
        (
            *("l.facebook.com", "lm.facebook.com", "l.messenger.com", "l.instagram.com", "l.workplace.com"),
            *("l.wl.co", "l.threads.net", "l.threads.com"),
        ),
        _parameter("u"),
        f"{CLEARURLS}; {URLPURIFY}; {KACHI}",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fshop.example%2Fa&h=AT0",
        "https://shop.example/a",
    ),
    Wrapper(
        "Facebook, other redirects",
        ("facebook.com",),
        _parameter("u", "next", path=r"/(?:l\.php|flx/warn|sharer)"),
        URLPURIFY,
        "https://www.facebook.com/flx/warn/?u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "LinkedIn",
        ("linkedin.com",),
        _parameter(
            "url", path=r"/(?:redir|safety/go|nhome/nus-redirect|nus-trk|e/v2|company/[^/]{1,100}/redirect)"
        ),
        URLPURIFY,
        "https://www.linkedin.com/safety/go?url=https%3A%2F%2Fshop.example%2Fa&trk=flagship",
        "https://shop.example/a",
    ),
    Wrapper(
        "LinkedIn, short",
        ("lnkd.in",),
        None,
        f"{RSPAMD}; {SHORTENERS}",
        "https://lnkd.in/AbCdEf",
        "",
    ),
    Wrapper(
        "YouTube",
        ("youtube.com",),
        _parameter("q", "url", path=r"/redirect"),
        f"{CLEARURLS}; {URLPURIFY}",
        "https://www.youtube.com/redirect?event=video_description&q=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Slack",
        ("slack-redir.net",),
        _parameter("url"),
        "github.com/sublime-security/sublime-rules, open redirect: Slack; kodemaker.no, April 2020",
        "https://slack-redir.net/link?url=https%3A%2F%2Fshop.example%2Fa&v=3",
        "https://shop.example/a",
    ),
    Wrapper(
        "VK",
        ("vk.com", "vk.ru", "vkontakte.ru"),
        _parameter("to", path=r"/away(?:\.php)?$"),
        f"{CLEARURLS}; {URLPURIFY}",
        "https://vk.com/away.php?to=https%3A%2F%2Fshop.example%2Fa&cc_key=",
        "https://shop.example/a",
    ),
    Wrapper(
        "Mail.ru",
        ("mail.ru",),
        _parameter("url", "u", path=r"/(?:redir|proxy)"),
        URLPURIFY,
        "https://checklink.mail.ru/proxy?url=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Steam",
        ("steamcommunity.com",),
        _parameter("url", "u", path=r"/linkfilter"),
        f"{CLEARURLS}; {URLPURIFY}",
        "https://steamcommunity.com/linkfilter/?u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Reddit",
        ("out.reddit.com", "click.redditmail.com"),
        _parameter("url"),
        f"{CLEARURLS}; {URLPURIFY}",
        "https://out.reddit.com/t3_1?url=https%3A%2F%2Fshop.example%2Fa&token=x",
        "https://shop.example/a",
    ),
    Wrapper(
        "Pinterest",
        ("pinterest.com",),
        _parameter("url", path=r"/offsite"),
        URLPURIFY,
        "https://www.pinterest.com/offsite/?token=1&url=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Tumblr",
        ("t.umblr.com",),
        _parameter("z"),
        URLPURIFY,
        "https://t.umblr.com/redirect?z=https%3A%2F%2Fshop.example%2Fa&t=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "href.li and the like",
        ("href.li", "anonym.to"),
        _in_path(r"/?\?((?:https?[:%])?.{4,4000})"),
        f"{URLPURIFY}; {SPAMASSASSIN}",
        "https://href.li/?https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Internet Archive",
        ("web.archive.org",),
        _in_path(r"/web/[0-9]{1,14}(?:[a-z]{2}_)?/(.{4,4000})"),
        URLPURIFY,
        "https://web.archive.org/web/20260301/https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Amazon SES, click",
        ("awstrack.me",),
        _in_path(r"/L0/(https?[:%][^/]{4,4000})"),
        f"{CLEARURLS}; {KACHI}",
        "https://abc.r.eu-west-1.awstrack.me/L0/https:%2F%2Fshop.example%2Fa/1/0102-1/x=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Mandrill, click",
        ("mandrillapp.com",),
        _mandrill,
        "gist.github.com/jbyers/20d3d48a5c737af9c3d702797fc15ae2, decoding a Mandrill tracking link",
        "https://mandrillapp.com/track/click/3/shop.example?p=eyJwIjoie1widXJsXCI6XCJodHRwczpcXFwvXFxcL3Nob3AuZXhhbXBsZVxcXC9hXCJ9In0",
        "https://shop.example/a",
    ),
    Wrapper(
        "SendGrid, click",
        ("ct.sendgrid.net",),
        None,
        RSPAMD,
        "https://u1.ct.sendgrid.net/ls/click?upn=AbC",
        "",
    ),
    Wrapper(
        "counters of clicks",
        (
            *(
                "list-manage.com",
                "list-manage1.com",
                "list-manage2.com",
                "klclick.com",
                "klclick1.com",
                "rs6.net",
            ),
            *("customeriomail.com", "mailersend.net", "mlsend.com", "mjt.lu", "pstmrk.it", "sendibm1.com"),
            *(
                "sendibm2.com",
                "sendibm3.com",
                "convertkit-mail.com",
                "convertkit-mail2.com",
                "getresponse.com",
            ),
            *("cleverreach.com", "emlnk9.com", "hs-sales-engage.com", "benchurl.com"),
        ),
        None,
        RSPAMD,
        "https://shop.us1.list-manage.com/track/click?u=1&id=2&e=3",
        "",
    ),
    Wrapper(
        "Short addresses",
        (
            *(
                "t.co",
                "bit.ly",
                "bitly.com",
                "j.mp",
                "tinyurl.com",
                "is.gd",
                "v.gd",
                "ow.ly",
                "owl.li",
                "cutt.ly",
            ),
            *(
                "goo.gl",
                "shorturl.at",
                "shorturl.asia",
                "rb.gy",
                "t.ly",
                "s.id",
                "tiny.cc",
                "tiny.one",
                "tiny.pl",
            ),
            *(
                "snip.ly",
                "trib.al",
                "dlvr.it",
                "clck.ru",
                "u.to",
                "n9.cl",
                "urlz.at",
                "app.link",
                "page.link",
            ),
        ),
        None,
        f"{SHORTENERS}; {RSPAMD}",
        "https://t.co/AbCdEf",
        "",
    ),
)
"""The services, in the order in which they are tried; those that only the service can read come after their kin."""


def _rows() -> tuple[dict[str, list[Wrapper]], list[tuple[re.Pattern[str], Wrapper]]]:
    named: dict[str, list[Wrapper]] = {}
    patterns: list[tuple[re.Pattern[str], Wrapper]] = []
    for wrapper in WRAPPERS:
        for host in wrapper.hosts:
            if host.startswith("~"):
                patterns.append((re.compile(host[1:]), wrapper))
            else:
                named.setdefault(host, []).append(wrapper)
    return named, patterns


_NAMED, _BY_PATTERN = _rows()
_PATTERNED = frozenset({"google", "yandex", "ebay"})
"""The labels of hosts that patterns are tried on."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Where a link leads: the addresses on the way, each within the one before; the services that lead there.

    ``chain`` is () for a link that no known service leads on; ``opaque`` says that the last address is one whose target
    only its service knows, ``guarded`` that this service is a mail gateway, ``named`` the domain that stands in its
    link for show ('' for none); ``cut`` that there are more wrappers within each other than are undone.
    """

    chain: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    opaque: bool = False
    guarded: bool = False
    named: str = ""
    cut: bool = False

    @property
    def target(self) -> str:
        """The last address; '' when there is none but the link's own."""
        return self.chain[-1] if self.chain else ""


def unwrapped(link: str) -> Unwrapped:
    """A link without the services that wrap it: known ones only, so that the target may be taken for the link's."""
    chain: list[str] = []
    services: list[str] = []
    current = link[:CHARACTERS]
    while True:
        wrapper, target = _undone(current)
        if wrapper is None:
            return Unwrapped(tuple(chain), tuple(services))
        if not target:
            named = _domain_for_show(*parts_of(current)) if wrapper.guards else ""
            served = (*services, wrapper.name)
            return Unwrapped(tuple(chain), served, opaque=True, guarded=wrapper.guards, named=named)
        if len(chain) >= MOST_NESTED:
            return Unwrapped(tuple(chain), tuple(services), cut=True)
        chain.append(target)
        services.append(wrapper.name)
        current = target


_domain_for_show = _parameter("domain")


def _undone(link: str) -> tuple[Wrapper | None, str]:
    """The service that a link belongs to, and where it leads from there; (None, '') when there is none."""
    host, at, query = parts_of(link)
    labels = host.split(".")[-8:]
    rows = [row for start in range(len(labels)) for row in _NAMED.get(".".join(labels[start:]), ())]
    if not _PATTERNED.isdisjoint(labels):
        rows += [row for pattern, row in _BY_PATTERN if pattern.fullmatch(host)]
    opaque = None
    for row in rows:
        if row.reads is None:
            opaque = opaque or row
        elif target := as_link(row.reads(host, at, query)):
            return row, target
    return opaque, ""
