"""Services that wrap links: undone in one place, for every filter that asks.

Each row of `WRAPPERS` is a service whose way of writing is known, so what `unwrapped` gives may excuse a link: the
service itself leads there. What any other page may lead on to is `redirects.led_to`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from tamis.message.mail.written_links import CHARACTERS, as_link, octets_of, parameters_of, parts_of, plain

MOST_NESTED = 6
"""Wrappers within wrappers that are undone. Beyond: the innermost that was found counts; `too_many_targets`."""

Reads = Callable[[str, str, str], str]
"""A link's host, path and query (with the fragment) -> what it leads to as written there; '' when it is not that."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One way of writing. ``example`` leads to ``target``; '' means that only the service knows where (opaque).

    ``hosts`` are matched with everything below them; one that begins with "~" is a regular expression of the whole.
    """

    name: str
    hosts: tuple[str, ...]
    reads: Reads | None
    source: str
    example: str
    target: str


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


def _in_label(host: str, at: str, query: str) -> str:
    """The host as the first label: "-" for a dot, "--" for "-"."""
    label = host.partition(".")[0]
    if "-" not in label:
        return ""
    return f"{label.replace('--', chr(0)).replace('-', '.').replace(chr(0), '-')}{at}?{query}".rstrip("?")


_GOOGLE = r"~(?:[a-z0-9-]+\.)*google\.(?:com?\.)?[a-z]{2,3}"

WRAPPERS: tuple[Wrapper, ...] = (
    Wrapper(
        "Outlook Safelinks",
        ("safelinks.protection.outlook.com", "safelinks.protection.office365.us", "safelinks.o365.cn"),
        _parameter("url"),
        "learn.microsoft.com/defender-office-365/safe-links-about",
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fshop.example%2Fa&data=05%7C02",
        "https://shop.example/a",
    ),
    Wrapper(
        "Teams Safelinks",
        ("teams.cdn.office.net",),
        _parameter("url", path=r".*safelinks"),
        "learn.microsoft.com/defender-office-365/safe-links-about",
        "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url=https%3A%2F%2Fshop.example",
        "https://shop.example",
    ),
    Wrapper(
        "Proofpoint URL Defense, version 1",
        ("urldefense.proofpoint.com", "urldefense.com", "urldefense.us"),
        _parameter("u", path=r"/v1/"),
        "help.proofpoint.com: URL Decoder API",
        "https://urldefense.proofpoint.com/v1/url?u=http://shop.example/a&k=oI%3D&r=I",
        "http://shop.example/a",
    ),
    Wrapper(
        "Proofpoint URL Defense, version 2",
        ("urldefense.proofpoint.com", "urldefense.com", "urldefense.us"),
        _proofpoint_2,
        "help.proofpoint.com: URL Decoder API",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__shop.example_a-3Fb-3D1&d=DwMFAg",
        "https://shop.example/a?b=1",
    ),
    Wrapper(
        "Proofpoint URL Defense, version 3",
        ("urldefense.proofpoint.com", "urldefense.com", "urldefense.us"),
        _proofpoint_3,
        "help.proofpoint.com: URL Decoder API",
        "https://urldefense.com/v3/__https:/shop.example/*c__;fg!!AbC-_dEf!x$",
        "https://shop.example/~c",
    ),
    Wrapper(
        "Mimecast",
        ("mimecast.com", "mimecastprotect.com"),
        None,
        "community.mimecast.com: URL Protect",
        "https://url.uk.m.mimecastprotect.com/s/AbCdEf",
        "",
    ),
    Wrapper(
        "Barracuda Link Protection",
        ("linkprotect.cudasvc.com",),
        _parameter("a"),
        "campus.barracuda.com: Link Protection",
        "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fshop.example%2fa&c=E,1,x&typo=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Cisco Secure Email",
        ("secure-web.cisco.com",),
        _in_path(r"/[^/]{1,2000}/(https?(?:%3a|:).{1,4000})"),
        "cisco.com: Secure Email, URL rewriting",
        "https://secure-web.cisco.com/1AbC-dEf/https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Sophos Time of Click",
        ("protection.sophos.com",),
        _in_base64("u"),
        "docs.sophos.com: Time of Click URL Protection",
        "https://eu-west-1.protection.sophos.com/?d=shop.example&u=aHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ==&p=m",
        "https://shop.example/a",
    ),
    Wrapper(
        "Trend Micro Time-of-Click",
        ("trendmicro.com",),
        _parameter("url", path=r"/(?:wis/)?clicktime/"),
        "docs.trendmicro.com: Time-of-Click Protection",
        "https://imsva91-ctp.trendmicro.com/wis/clicktime/v1/query?url=https%3a%2f%2fshop.example%2fa&umid=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Symantec Click-time Protection",
        ("clicktime.symantec.com",),
        _parameter("u"),
        "techdocs.broadcom.com: Click-time URL Protection",
        "https://clicktime.symantec.com/3AbC?u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Trellix (FireEye)",
        ("protect.fireeye.com", "protect2.fireeye.com"),
        _parameter("u"),
        "docs.trellix.com: Email Security, URL rewriting",
        "https://protect2.fireeye.com/v1/url?k=1-2&q=1&e=3&u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Check Point (Avanan)",
        ("url.avanan.click", "protect.checkpoint.com"),
        _in_path(r"/v2/(?:r\d{2}/)?___(.{1,4000}?)___\."),
        "sc1.checkpoint.com: Click-Time Protection",
        "https://url.avanan.click/v2/___https://shop.example/a___.YXAzOnRlc3Q",
        "https://shop.example/a",
    ),
    Wrapper(
        "Google, redirect",
        (_GOOGLE,),
        _parameter("q", "url", path=r"/+url$"),
        "ClearURLs rules: google",
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
        "ClearURLs rules: google; rspamd redirectors",
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
        _in_path(r"/(?:c|v|a|r|i|ii|wp|mbv|viewer)/(?:s/)?(.{4,4000})"),
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
        _in_label,
        "developers.google.com: translated pages are served from translate.goog",
        "https://shop-example.translate.goog/a?_x_tr_sl=auto",
        "https://shop.example/a?_x_tr_sl=auto",
    ),
    Wrapper(
        "Campaign Manager click",
        ("doubleclick.net",),
        _in_path(r"/ddm/(?:track)?clk/.{0,2000}?\?(https?[:%].{4,4000})"),
        "support.google.com/campaignmanager: click trackers",
        "https://ad.doubleclick.net/ddm/clk/1;2;3?https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Bing, search result",
        ("bing.com",),
        _in_base64("u", strip="a1"),
        "github.com/sublime-security/sublime-rules: open redirect, Bing",
        "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ&ntb=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Yahoo, search result",
        ("search.yahoo.com", "search.yahoo.co.jp"),
        _in_path(r".{0,2000}?/RU=([^/]{4,4000})"),
        "ClearURLs rules: yahoo",
        "https://r.search.yahoo.com/_ylt=A0/RV=2/RE=1/RO=10/RU=https%3a%2f%2fshop.example%2fa/RK=2/RS=x",
        "https://shop.example/a",
    ),
    Wrapper(
        "DuckDuckGo",
        ("duckduckgo.com",),
        _parameter("uddg", path=r"/l/?$"),
        "ClearURLs rules: duckduckgo",
        "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fshop.example%2Fa&rut=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Yandex",
        ("yandex.ru", "yandex.com", "yandex.net"),
        _parameter("url", "to", path=r"/(?:clck/)?(?:js)?redir"),
        "ClearURLs rules: yandex",
        "https://sba.yandex.net/redirect?url=https%3A%2F%2Fshop.example%2Fa&client=mail",
        "https://shop.example/a",
    ),
    Wrapper(
        "Baidu",
        ("baidu.com",),
        None,
        "rspamd redirectors",
        "https://www.baidu.com/link?url=AbCdEf",
        "",
    ),
    Wrapper(
        "Facebook, Messenger, Instagram, WhatsApp",
        (
            *("l.facebook.com", "lm.facebook.com", "l.messenger.com", "l.instagram.com", "l.workplace.com"),
            *("l.wl.co", "l.threads.net", "l.threads.com"),
        ),
        _parameter("u"),
        "ClearURLs rules: facebook",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fshop.example%2Fa&h=AT0",
        "https://shop.example/a",
    ),
    Wrapper(
        "Facebook, other redirects",
        ("facebook.com",),
        _parameter("u", "next", path=r"/(?:l\.php|flx/warn|sharer)"),
        "ClearURLs rules: facebook",
        "https://www.facebook.com/flx/warn/?u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "LinkedIn",
        ("linkedin.com",),
        _parameter("url", "redirect", path=r"/(?:redir|safety/go|authwall|checkpoint)"),
        "ClearURLs rules: linkedin",
        "https://www.linkedin.com/safety/go?url=https%3A%2F%2Fshop.example%2Fa&trk=flagship",
        "https://shop.example/a",
    ),
    Wrapper(
        "LinkedIn, short",
        ("lnkd.in",),
        None,
        "rspamd redirectors",
        "https://lnkd.in/AbCdEf",
        "",
    ),
    Wrapper(
        "YouTube",
        ("youtube.com",),
        _parameter("q", "url", path=r"/redirect"),
        "ClearURLs rules: youtube",
        "https://www.youtube.com/redirect?event=video_description&q=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Slack",
        ("slack-redir.net",),
        _parameter("url"),
        "slack.com: links in messages",
        "https://slack-redir.net/link?url=https%3A%2F%2Fshop.example%2Fa&v=3",
        "https://shop.example/a",
    ),
    Wrapper(
        "VK",
        ("vk.com", "vk.ru", "vkontakte.ru"),
        _parameter("to", path=r"/away(?:\.php)?$"),
        "ClearURLs rules: vk.com",
        "https://vk.com/away.php?to=https%3A%2F%2Fshop.example%2Fa&cc_key=",
        "https://shop.example/a",
    ),
    Wrapper(
        "Mail.ru",
        ("mail.ru",),
        _parameter("to", "url", path=r"/(?:api/)?(?:deeplink|redir|click|proxy|r\b)"),
        "rspamd redirectors",
        "https://checklink.mail.ru/proxy?url=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Steam",
        ("steamcommunity.com",),
        _parameter("url", "u", path=r"/linkfilter"),
        "ClearURLs rules: steam",
        "https://steamcommunity.com/linkfilter/?u=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Reddit",
        ("out.reddit.com", "click.redditmail.com"),
        _parameter("url"),
        "ClearURLs rules: reddit",
        "https://out.reddit.com/t3_1?url=https%3A%2F%2Fshop.example%2Fa&token=x",
        "https://shop.example/a",
    ),
    Wrapper(
        "Pinterest",
        ("pinterest.com",),
        _parameter("url", path=r"/offsite"),
        "ClearURLs rules: pinterest",
        "https://www.pinterest.com/offsite/?token=1&url=https%3A%2F%2Fshop.example%2Fa",
        "https://shop.example/a",
    ),
    Wrapper(
        "Tumblr",
        ("t.umblr.com",),
        _parameter("z"),
        "ClearURLs rules: tumblr",
        "https://t.umblr.com/redirect?z=https%3A%2F%2Fshop.example%2Fa&t=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "href.li and the like",
        ("href.li", "anonym.to", "anonym.es", "nullrefer.com"),
        _in_path(r"/?\?((?:https?[:%])?.{4,4000})"),
        "rspamd redirectors",
        "https://href.li/?https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Internet Archive",
        ("web.archive.org",),
        _in_path(r"/web/[0-9]{1,14}(?:[a-z]{2}_)?/(.{4,4000})"),
        "archive.org/help/wayback_api.php",
        "https://web.archive.org/web/20260301/https://shop.example/a",
        "https://shop.example/a",
    ),
    Wrapper(
        "Amazon SES, click",
        ("awstrack.me",),
        _in_path(r"/L0/(https?[:%][^/]{4,4000})"),
        "docs.aws.amazon.com/ses: open and click tracking",
        "https://abc.r.eu-west-1.awstrack.me/L0/https:%2F%2Fshop.example%2Fa/1/0102-1/x=1",
        "https://shop.example/a",
    ),
    Wrapper(
        "Mandrill, click",
        ("mandrillapp.com",),
        _mandrill,
        "mailchimp.com/developer/transactional: click tracking",
        "https://mandrillapp.com/track/click/3/shop.example?p=eyJwIjoie1widXJsXCI6XCJodHRwczpcXFwvXFxcL3Nob3AuZXhhbXBsZVxcXC9hXCJ9In0",
        "https://shop.example/a",
    ),
    Wrapper(
        "SendGrid, click",
        ("ct.sendgrid.net",),
        None,
        "docs.sendgrid.com: click tracking",
        "https://u1.ct.sendgrid.net/ls/click?upn=AbC",
        "",
    ),
    Wrapper(
        "Short addresses",
        (
            *("t.co", "bit.ly", "j.mp", "tinyurl.com", "is.gd", "v.gd", "ow.ly", "buff.ly", "rebrand.ly"),
            *("cutt.ly", "goo.gl", "shorturl.at", "rb.gy", "t.ly", "s.id", "tiny.cc", "bl.ink", "qrco.de"),
        ),
        None,
        "rspamd redirectors; SpamAssassin 25_url_shortener.cf",
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


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Where a link leads: the addresses on the way, each within the one before; the services that lead there.

    ``chain`` is () for a link that no known service leads on; ``opaque`` says that the last address is one whose target
    only its service knows; ``cut`` that there are more wrappers within each other than are undone.
    """

    chain: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    opaque: bool = False
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
            return Unwrapped(tuple(chain), (*services, wrapper.name), opaque=True)
        if len(chain) >= MOST_NESTED:
            return Unwrapped(tuple(chain), tuple(services), cut=True)
        chain.append(target)
        services.append(wrapper.name)
        current = target


def _undone(link: str) -> tuple[Wrapper | None, str]:
    """The service that a link belongs to, and where it leads from there; (None, '') when there is none."""
    host, at, query = parts_of(link)
    labels = host.split(".")[-8:]
    rows = [row for start in range(len(labels)) for row in _NAMED.get(".".join(labels[start:]), ())]
    if "google" in labels:
        rows += [row for pattern, row in _BY_PATTERN if pattern.fullmatch(host)]
    opaque = None
    for row in rows:
        if row.reads is None:
            opaque = opaque or row
        elif target := as_link(row.reads(host, at, query)):
            return row, target
    return opaque, ""
