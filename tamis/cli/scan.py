"""`tamis scan`: the verdict on messages, and why, without Postfix."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from tamis.base.logs import log_to_stderr
from tamis.chain.open_services import observe_services
from tamis.chain.road import Examined, Road
from tamis.cli.context import Context
from tamis.cli.examining import default_recipient, sender_of, site_in_force
from tamis.cli.messages import read_messages
from tamis.contract.filter import Effect
from tamis.judging.flip import FlipSender, flips
from tamis.judging.plan import Judged
from tamis.judging.verdict import Decision
from tamis.message.address import unbracket
from tamis.message.envelope import Envelope, Recipient, parse_ip
from tamis.message.mail import Mail
from tamis.message.shown_from import shown_from
from tamis.services.runner import Runner

_REASONS = 8
_STATUS = {Decision.HAM: 0, Decision.SPAM: 1, Decision.DEFER: 2}


@click.command()
@click.option("--ip", default="", help="Client address.")
@click.option("--helo", default="", help="Name given in HELO.")
@click.option(
    "--from", "sender", default=None, help="MAIL FROM [default: the message's Return-Path, else its From]."
)
@click.option("--rcpt", multiple=True, help="RCPT TO; can be repeated [default: postmaster of the platform].")
@click.option("--login", default="", help="Authenticated user: scan as that user's own outgoing mail.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per message.")
@click.argument("sources", nargs=-1, required=True, metavar="FILE|DIR|MBOX|-...")
@click.pass_obj
def scan(
    context: Context,
    ip: str,
    helo: str,
    sender: str | None,
    rcpt: tuple[str, ...],
    login: str,
    as_json: bool,
    sources: tuple[str, ...],
) -> int:
    """Examine messages and show each recipient's verdict and trace.

    Exit status: 0 all ham, 1 some spam, 2 some deferred, 64 and above errors.
    """
    if ip and parse_ip(ip) is None:
        raise click.BadParameter(f"{ip!r} is not an IP address", param_hint="--ip")
    log_to_stderr("warning")
    site, runner = site_in_force(context), Runner()
    services = observe_services(site.settings)
    worst = 0
    try:
        for name, octets in (found for source in sources for found in read_messages(source)):
            limit = site.settings.milter.max_examined
            mail = Mail(octets[:limit], complete=len(octets) <= limit, size=len(octets))
            envelope = Envelope(
                client_ip=ip,
                helo=helo,
                sender=unbracket(sender) if sender is not None else sender_of(mail),
                recipients=tuple(Recipient(unbracket(r)) for r in rcpt or (default_recipient(site),)),
                login=login,
            )
            examined = Road(site, runner, services).end_of_message(envelope, mail)
            worst = max(worst, *(_STATUS[one.verdict.decision] for one in examined.judged))
            reasons = services.statistics.reasons(envelope, mail, _REASONS)
            if as_json:
                told = report(name, mail, examined)
                told["reasons"] = [
                    {"where": where, "what": what, "share": share} for where, what, share in reasons
                ]
                click.echo(json.dumps(told))
            else:
                click.echo("\n".join((*story(name, mail, examined), *weighed(reasons))))
    finally:
        runner.call(services.dns.close)
    return worst


def report(name: str, mail: Mail, examined: Examined) -> dict[str, Any]:
    """One message as JSON: the findings, and each recipient's verdict, outcome and headers."""
    return {
        "message": name,
        "subject": mail.subject,
        "size": mail.size,
        "envelope": examined.envelope.to_dict(),
        "asks": examined.plan.asks,
        "findings": [finding.to_dict() | {"text": finding.text()} for finding in examined.findings.values()],
        "recipients": [
            {
                "recipient": one.verdict.recipient,
                "verdict": str(one.verdict.decision),
                "outcome": str(one.outcome),
                "decided_by": one.verdict.decided_by,
                "because": one.verdict.because,
                "score": one.verdict.score,
                "required": one.verdict.required,
                "opinions": [
                    {
                        "filter": o.filter,
                        "id": o.spec_id,
                        "effect": o.effect and str(o.effect),
                        "points": o.points,
                        "shadow": o.shadow,
                        "text": o.text,
                    }
                    for o in one.verdict.opinions
                ],
                "otherwise_with": [
                    change.setting
                    for change in flips(one.verdict, examined.findings, one.policy, _sender(mail, examined))
                ],
                "headers": [list(field) for field in one.headers],
            }
            for one in examined.judged
        ],
    }


def story(name: str, mail: Mail, examined: Examined) -> Iterator[str]:
    """One message's trace for people."""
    yield f"{printable(name)}: {printable(mail.subject or '(no subject)', 60)!s}, {mail.size} octets"
    for one in examined.judged:
        verdict = one.verdict
        who = f" ({verdict.decided_by}: {printable(verdict.because)})" if verdict.decided_by else ""
        yield (
            f"  {printable(verdict.recipient)}: {verdict.decision} -> {one.outcome}{who},"
            f" score {verdict.score:.1f} of {verdict.required:.1f}"
        )
        yield from (line for line in _trace(one))
        if changes := flips(verdict, examined.findings, one.policy, _sender(mail, examined)):
            yield f"    otherwise with: {printable(' or '.join(c.setting for c in changes), 400)}"
    if examined.plan.asks:
        yield "  refused with 550: its sender is asked to confirm it in the SMTP reply"


def _sender(mail: Mail, examined: Examined) -> FlipSender:
    return FlipSender(examined.envelope.sender, shown_from(mail.headers))


def weighed(reasons: Sequence[tuple[str, str, float]]) -> Iterator[str]:
    """What weighed most for the statistical filter: above zero for spam."""
    if reasons:
        yield "  statistics, what weighed most:"
    for where, what, share in reasons:
        yield f"    {share:+.3f}  {where}: {printable(what)}"


def _trace(one: Judged) -> Iterator[str]:
    for opinion in one.verdict.opinions:
        effect = ""
        if opinion.effect is not None:
            effect = f" {opinion.points:+g}" if opinion.effect is Effect.SCORE else f" {opinion.effect}"
        shadow = " (shadow)" if opinion.shadow else ""
        yield (
            f"    {opinion.spec_id:<4} {opinion.filter:<18} {opinion.status:<11}"
            f"{effect}{shadow}  {printable(opinion.text)}"
        )


def printable(text: str, limit: int = 160) -> str:
    """Text that can't move a terminal's cursor or hide: control and format characters are shown as escapes."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown if len(text) <= limit else shown + "…"
