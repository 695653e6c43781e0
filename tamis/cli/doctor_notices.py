"""The part of `tamis doctor` that looks at what senders of held mail get: the page, and who the notice is from."""

from __future__ import annotations

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from tamis.base.errors import ServiceError
from tamis.chain.open_services import open_resolver
from tamis.cli.checks import CheckResult, error, ok, warning
from tamis.contract.service_protocols import DNS
from tamis.settings import Layers, Settings, WebSettings

_SECONDS = 5.0
_MOST_DOMAINS = 50


def notice_checks(settings: Settings, layers: Layers) -> Iterator[CheckResult]:
    """All checks; none where no policy asks senders. The only error is that the asking that policy wants does not
    happen."""
    if not asks(layers):
        yield ok("notices", "policy asks no senders")
        return
    yield link_check(settings.web)
    yield page_check(settings.web.url)
    domains = settings.platform.domains[:_MOST_DOMAINS]
    if not domains:
        yield warning(
            "notices",
            "platform.domains is empty",
            "set it, so that the domains notices come from can be looked at",
        )
        return
    yield from asyncio.run(_domain_checks(settings, domains))


def asks(layers: Layers) -> bool:
    """Whether some policy of the settings file asks senders, as by default each does."""
    return layers.get("platform", {}).get("challenge", "mail") != "off" or any(
        layer.get("challenge", "off") != "off" for layer in layers.values()
    )


def link_check(web: WebSettings) -> CheckResult:
    """Whether web.url is one that strangers can open safely."""
    url = web.url
    mend = "set web.url to where people outside reach the pages, such as https://mail.YOUR-DOMAIN"
    if web.is_public:
        if urlsplit(url).scheme == "https":
            return ok("web.url", url)
        return warning(
            "web.url", f"{url} is not encrypted", "serve the pages by https, and say so in web.url"
        )
    if web.trial:
        return warning(
            "web.url",
            f"{url} is no public address, and senders get links to it (web.trial)",
            f"after the trial {mend}, and leave web.trial out",
        )
    return error(
        "web.url",
        f"{url} is no public address: no sender of held mail is asked, though policy wants it",
        f'{mend}; or ask nobody: [policy] challenge = "off"; or, to try it on this machine alone: [web] trial = true',
    )


def page_check(url: str) -> CheckResult:
    """Whether something answers there, whatever it says."""
    mend = "start the pages, or fix web.url or the proxy in front of them; until then nobody can confirm a message"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - web.url is http or https
            return ok("pages", f"{url} answers {answer.status}")
    except urllib.error.HTTPError as problem:
        problem.close()
        if problem.code < 500:
            return ok("pages", f"{url} answers {problem.code}")
        return warning("pages", f"{url} answers {problem.code}", mend)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return warning("pages", f"{url}: {problem}", mend)


async def _domain_checks(settings: Settings, domains: tuple[str, ...]) -> list[CheckResult]:
    resolver = open_resolver(settings.dns)
    try:
        return list(await asyncio.gather(*(domain_check(resolver, settings, one) for one in domains)))
    finally:
        resolver.close()


async def domain_check(dns: DNS, settings: Settings, domain: str) -> CheckResult:
    """Whether a notice from a domain can pass where it arrives.

    It has a null sender, so SPF speaks of the server's HELO name: under DMARC (RFC 7489 3.1) only a signature by DKIM
    can vouch for the domain in From.
    """
    sender = f"{settings.notices.sender}@{domain}"
    try:
        answer = await dns.query(f"_dmarc.{domain}", "TXT")
    except ServiceError as problem:
        return warning("notices", f"from {sender}: {problem}", "see DNS above")
    record = next((text for text in answer.records if text.lower().startswith("v=dmarc1")), "")
    policy = next((p.strip()[2:] for p in record.lower().split(";") if p.strip().startswith("p=")), "none")
    if policy.strip() in ("reject", "quarantine"):
        return warning(
            "notices",
            f"from {sender}, whose DMARC policy is {policy.strip()}",
            f"have Postfix's listener without milter sign by DKIM for {domain}, else notices are refused",
        )
    return ok("notices", f"from {sender}")
