"""The services of a process, made from its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tamis.base.breaker import Breakers
from tamis.contract.service_protocols import Services
from tamis.message.envelope import parse_ip
from tamis.models.site_model import SiteModel
from tamis.services.dns.resolver import Resolver
from tamis.services.files.attachments import AttachmentLooker
from tamis.services.files.reader import FileReader
from tamis.services.scanners.clamd import Engines
from tamis.services.scanners.spamd import Spamd
from tamis.services.state.opening import observe_state, open_state
from tamis.settings import DNSSettings, Settings

RESOLV_CONF = Path("/etc/resolv.conf")


def open_services(settings: Settings) -> Services:
    """What filters of this process may wait on. Opens nothing yet: each connects when first used, after a fork."""
    antivirus, breakers = settings.antivirus, Breakers(settings.breakers.limits)
    first = [one for one in antivirus.engines if not one.second_pass]
    second = [one for one in antivirus.engines if one.second_pass]
    return Services(
        state=open_state(settings, breakers),
        dns=open_resolver(settings.dns, breakers),
        statistics=SiteModel(settings),
        first_antivirus=Engines(antivirus, first, breakers),
        second_antivirus=Engines(antivirus, second, breakers),
        reader=FileReader(settings.images, breakers),
        attachments=AttachmentLooker(breakers),
        spamassassin=Spamd(settings.spamassassin, breakers),
        breakers=breakers,
    )


def observe_services(settings: Settings) -> Services:
    """The same for a look from outside: whatever is examined with it, the daemon's state stays as it is."""
    services = open_services(settings)
    return replace(services, state=observe_state(settings, services.breakers))


def open_resolver(settings: DNSSettings, breakers: Breakers | None = None) -> Resolver:
    """The resolver that the settings describe."""
    servers = tuple(map(settings.address_of, settings.servers)) or system_servers()
    return Resolver(
        servers,
        retransmit=settings.retransmit,
        deadline=settings.deadline,
        cache_entries=settings.cache_entries,
        breakers=breakers,
    )


def system_servers() -> tuple[tuple[str, int], ...]:
    """The servers of resolv.conf(5); without any, the one on this machine, as the C library has it."""
    try:
        lines = RESOLV_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [one[1] for one in words if len(one) > 1 and one[0] == "nameserver"]
    found = [(name, 53) for name in named if parse_ip(name.partition("%")[0]) is not None]
    return tuple(found) or (("127.0.0.1", 53),)
