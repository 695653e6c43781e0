"""Wrapped links: every row of the table by its example, and links wrapped in each other by all who wrap."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail.redirects import MOST_TARGETS, led_to
from tamis.message.mail.urls import host_of
from tamis.message.mail.wrappers import MOST_NESTED, WRAPPERS, Wrapper, unwrapped


@pytest.mark.parametrize("row", WRAPPERS, ids=lambda row: row.name)
def test_each_row_reads_its_own_example(row: Wrapper) -> None:
    found = unwrapped(row.example)
    assert (found.services, found.target) == ((row.name,), row.target)
    assert found.opaque is (row.reads is None)
    assert row.source


def test_a_region_of_check_point() -> None:
    link = "https://protect.checkpoint.com/v2/r01/___https://shop.example/a___.YXAz"
    assert unwrapped(link).target == "https://shop.example/a"


@pytest.mark.parametrize(
    ("link", "host"),
    [
        ("https://my--shop-example.translate.goog/", "my-shop.example"),
        ("https://-example.translate.goog/?_x_tr_hp=a-very-long--shop", "a.very.long-shop.example"),
        ("https://0-bcher--kva-example.translate.goog/?_x_tr_enc=0", "xn--bcher-kva.example"),
        ("https://1-0-shop-example.translate.goog/?_x_tr_enc=1", "0.shop.example"),
        ("https://1-0-bcher--kva-example.translate.goog/?_x_tr_enc=0%2C1", "xn--bcher-kva.example"),
        ("https://0-shop-example.translate.goog/", "0.shop.example"),
        (
            "https://shop-example.translate.goog/?_X_TR_HP=no&_x_tr_hp=a&_x_tr_hp=b#&_x_tr_enc=1",
            "ashop.example",
        ),
    ],
)
def test_the_host_of_a_translated_page(link: str, host: str) -> None:
    assert urlsplit(unwrapped(link).target).hostname == host


@pytest.mark.parametrize("start", ["evil.example/", "evil.example?", "@", "a b"])
def test_the_start_of_a_translated_host_is_no_address(start: str) -> None:
    assert unwrapped(f"https://shop-example.translate.goog/?_x_tr_hp={quote(start)}").target == ""


def _bare(url: str) -> str:
    return url.partition("://")[2] or url


def _v2(url: str) -> str:
    return quote(url, safe="").replace("-", "%2D").replace("_", "%5F").replace("%2F", "_").replace("%", "-")


def _v3(url: str) -> str:
    return url.replace("*", "%2A")


def _mandrill(url: str) -> str:
    told = json.dumps({"p": json.dumps({"u": 1, "url": url.replace("/", "\\/")})})
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _b64(url: str) -> str:
    return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _label_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].replace("-", "--").replace(".", "-")


WRAP: dict[str, Callable[[str], str]] = {
    "safelinks": lambda u: f"https://nam02.safelinks.protection.outlook.com/?url={quote(u, safe='')}&data=05",
    "v1": lambda u: f"https://urldefense.proofpoint.com/v1/url?u={quote(u, safe='')}&k=x",
    "v2": lambda u: f"https://urldefense.proofpoint.com/v2/url?u={_v2(u)}&d=DwMFAg&e=",
    "v3": lambda u: f"https://urldefense.com/v3/__{_v3(u)}__;!!A-b!c$",
    "v3, one slash": lambda u: f"https://urldefense.com/v3/__{_v3(u.replace('://', ':/', 1))}__;!!A-b!c$",
    "barracuda": lambda u: f"https://linkprotect.cudasvc.com/url?a={quote(u, safe='')}&c=E,1",
    "cisco": lambda u: f"https://secure-web.cisco.com/1a_B-c/{quote(u, safe='')}",
    "sophos": lambda u: f"https://eu.protection.sophos.com/?d=x.example&u={_b64(u)}&p=m",
    "google": lambda u: f"https://www.google.co.uk/url?sa=t&url={quote(u, safe='')}&usg=1",
    "amp": lambda u: f"https://www.google.com/amp/s/{quote(_bare(u), safe='/')}",
    "amp, no scheme": lambda u: f"google.fr/amp/{quote(_bare(u), safe='/')}",
    "amp cache": lambda u: f"https://x.cdn.ampproject.org/c/s/{quote(_bare(u), safe='/')}",
    "bing": lambda u: f"https://www.bing.com/ck/a?!&&p=1&u=a1{_b64(u)}&ntb=1",
    "google translate": lambda u: (
        f"https://{_label_of(u)}.translate.goog/{u.partition('://')[2].partition('/')[2]}"
    ),
    "yahoo": lambda u: f"https://r.search.yahoo.com/_ylt=A/RU={quote(u, safe='')}/RK=2/RS=x",
    "facebook": lambda u: f"https://l.facebook.com/l.php?u={quote(u, safe='')}&h=A",
    "linkedin": lambda u: f"https://www.linkedin.com/redir/redirect?url={quote(u, safe='')}",
    "youtube": lambda u: f"https://www.youtube.com/redirect?q={quote(u, safe='')}",
    "slack": lambda u: f"https://slack-redir.net/link?url={quote(u, safe='')}",
    "vk": lambda u: f"https://vk.com/away.php?to={quote(u, safe='')}",
    "ses": lambda u: f"https://a.r.us-east-1.awstrack.me/L0/{quote(u, safe='')}/1/01-2",
    "mandrill": lambda u: f"https://mandrillapp.com/track/click/3/www.example?p={_mandrill(u)}",
}
"""Known services."""


def _named(name: str, *, scheme: bool = True) -> Callable[[str], str]:
    def wrap(url: str) -> str:
        value = quote(url if scheme else _bare(url), safe="")
        return f"https://www.example.com/r?x=1&{name}={value}&y=2"

    return wrap


OPEN: dict[str, Callable[[str], str]] = {
    **{f"{name}=": _named(name) for name in ("url", "u", "q", "redirect", "to", "dest", "next", "anything")},
    **{
        f"{name}=, no scheme": _named(name, scheme=False)
        for name in ("url", "u", "q", "redirect", "to", "dest")
    },
    "base64": lambda u: f"https://www.example.com/r?x={_b64(u)}",
    "base64, padded": lambda u: (
        f"https://www.example.com/r?x={quote(base64.b64encode(u.encode()).decode())}&z="
    ),
    "base64 in the path": lambda u: f"https://www.example.com/r/{_b64(u)}/x",
    "base64 behind the path": lambda u: f"https://www.example.com/aa/r{_b64(u)}",
    "twice": lambda u: f"https://www.example.com/r?u={quote(quote(u, safe=''), safe='')}",
    "path": lambda u: f"https://www.example.com/r/{u}",
    "path, coded": lambda u: f"https://www.example.com/r/{quote(u, safe='')}/x",
    "query alone": lambda u: f"https://www.example.com/?{u}",
    "fragment": lambda u: f"https://www.example.com/#{u}",
    "fragment, base64": lambda u: f"https://www.example.com/#{_b64(u)}",
    "double slash": lambda u: f"https://www.example.com/go?url=//{_bare(u)}",
}
"""What any page may follow."""

_label = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
_paths = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789/-._~", max_size=20)
_addresses = st.builds(
    lambda host, top, path: f"http://{host}.{top}/{path}",
    _label,
    st.sampled_from(["example", "example.com", "example.org", "example.net"]),
    _paths,
)


# Version 3 is never wrapped in itself: its end could not be told.
_services = st.lists(st.sampled_from(sorted(WRAP)), min_size=1, max_size=2).filter(
    lambda names: [name[:2] for name in names] != ["v3", "v3"]
)


@given(_addresses, _services)
def test_what_a_service_wraps_is_found(target: str, services: list[str]) -> None:
    """An ordinary run tries some hundred, and 2,000 with `pytest --hypothesis-profile=many`."""
    link = target
    for service in services:
        link = WRAP[service](link if link.startswith("http") else f"https://{link}")
    assert host_of(target.partition("://")[2]) == host_of(unwrapped(link).target.partition("://")[2]), link


@given(_addresses, st.sampled_from(sorted(OPEN)), st.none() | st.sampled_from(sorted(WRAP)))
def test_what_any_link_may_lead_to_is_found(target: str, inner: str, outer: str | None) -> None:
    link = OPEN[inner](target)
    excuse = unwrapped(link).target
    if outer is not None:
        link = WRAP[outer](link)
    hosts = [host_of(found.partition("://")[2]) for found in led_to(link)]
    assert host_of(target.partition("://")[2]) in hosts, link
    assert excuse == "", "a page that anybody can write is no excuse"


@pytest.mark.parametrize(
    "link",
    [
        "https://www.example.com/",
        "https://www.example.com/login?next=/home.php&page=contact.html&v=1.2.3",
        "https://www.example.com/report.pdf#page=2",
        "https://www.google.com/search?q=weather",
        "https://www.youtube.com/watch?v=AbCdEfGhIjK",
        "https://www.example.com/?token=QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
        "mailto:marie@example.com",
        "",
    ],
)
def test_what_leads_nowhere_else(link: str) -> None:
    assert list(led_to(link)) == []
    assert unwrapped(link).chain == ()


def test_more_wrappers_than_are_undone_are_told() -> None:
    link = "https://shop.example/"
    for _ in range(MOST_NESTED + 1):
        link = f"https://slack-redir.net/link?url={link}"
    found = unwrapped(link)
    assert found.cut
    assert len(found.chain) == MOST_NESTED


def test_an_opaque_service_within_another_is_told() -> None:
    found = unwrapped("https://www.google.com/url?q=https%3A%2F%2Ft.co%2FAbC")
    assert (found.target, found.opaque) == ("https://t.co/AbC", True)


@given(st.text(max_size=300))
def test_nothing_raises(text: str) -> None:
    for link in (text, f"https://{text}", *(wrap(text) for wrap in (*WRAP.values(), *OPEN.values()))):
        assert len(list(led_to(link))) <= MOST_TARGETS
        unwrapped(link)


@pytest.mark.parametrize(
    "piece",
    ["u=http%3A%2F%2Fa.example&", "/http:/a.example", "%25", "*", "aHR0cDovL2EuZXhhbXBsZQ", "=", "a.", "_"],
)
def test_long_links_take_little_time(piece: str) -> None:
    begun = time.process_time()
    for head in ("https://www.google.com/url?q=", "https://urldefense.com/v3/__", "https://x.example/", ""):
        list(led_to(head + piece * 200_000))
    assert time.process_time() - begun < 2
