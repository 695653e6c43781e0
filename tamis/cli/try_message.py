"""`tamis try`: a test message through Postfix, and what came of it."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import click

from tamis.base.errors import ReinjectError
from tamis.cli.context import Context, fail, json_option
from tamis.cli.terminal import print_json, printable
from tamis.database.history_search import Wanted
from tamis.desk.reinjection import Reinjector
from tamis.judging.policy import Outcome
from tamis.message.test_strings import AS_SPAM, TEST_STRINGS

if TYPE_CHECKING:
    from tamis.judging.story import Story
    from tamis.store import Store

_EVERY = 0.3  # seconds between two looks
_CLOCKS = timedelta(minutes=5)  # by which the hosts' clocks may differ

_TEXT = """\
This message was sent by "tamis try" to see what becomes of spam here.
The line below asks the filter for it. Nothing needs to be done.

{line}
"""


@dataclass(frozen=True, slots=True)
class _Test:
    """A test message, by its Message-ID and its subject."""

    recipient: str
    asked: str
    token: str

    @property
    def message_id(self) -> str:
        return f"<{self.token}@tamis.invalid>"

    @property
    def subject(self) -> str:
        return f"Test of the spam filter ({self.token})"

    def content(self, sender: str) -> bytes:
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.recipient
        message["Subject"] = self.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = self.message_id
        message.set_content(_TEXT.format(line=TEST_STRINGS[self.asked]))
        return message.as_bytes()


@click.command("try")
@click.argument("recipient")
@click.option(
    "--outcome",
    type=click.Choice(list(TEST_STRINGS)),
    default=AS_SPAM,
    show_default=True,
    help="What the message asks for; spam: whatever the policy does with spam.",
)
@click.option(
    "--smtp", default="127.0.0.1:25", show_default=True, metavar="IP:PORT", help="Postfix's public listener."
)
@click.option(
    "--from", "sender", default="", help="MAIL FROM and From [default: postmaster of the first own domain]."
)
@click.option(
    "--wait", type=click.FloatRange(0, 600), default=20.0, show_default=True, help="Seconds to wait for it."
)
@json_option
@click.pass_obj
def try_message(
    context: Context, recipient: str, outcome: str, smtp: str, sender: str, wait: float, as_json: bool
) -> None:
    """Send a test message to RECIPIENT through Postfix, and tell from the history what came of it.

    It has a test string (see `tamis filters test_string`), so it fares like spam and teaches nothing.

    Exit status: 0 it went where it asked, or where the policy sends spam; 1 somewhere else; 69 Tamis never saw it.
    """
    settings = context.file.settings
    if not settings.history.enabled:
        fail("history.enabled is false, so nothing would be known of the message", os.EX_CONFIG)
    domains = settings.platform.domains
    sender = sender or f"postmaster@{domains[0] if domains else 'localhost'}"
    test = _Test(recipient, outcome, secrets.token_hex(6))
    since = datetime.now(UTC) - _CLOCKS
    said = _sent(smtp, sender, test)
    with context.store() as store:
        story = _story(store, test, since, wait)
        held = _held(store, test, story, wait) if story else ()
    if story is None:
        fail(
            f"Postfix said: {said}\nTamis did not see the message; `tamis doctor` looks why",
            os.EX_UNAVAILABLE,
        )
    told = _told(test, said, story, held)
    if as_json:
        print_json(told)
    else:
        click.echo("\n".join(_lines(told)))
    if not told["as_asked"]:
        raise click.exceptions.Exit(1)


def _sent(address: str, sender: str, test: _Test) -> str:
    """What Postfix answered."""
    try:
        Reinjector(address).send(sender, (), ((test.recipient, ()),), test.content(sender))
    except ReinjectError as error:
        return str(error)
    except ValueError:
        raise click.BadParameter(f"{address!r} is not IP:PORT", param_hint="--smtp") from None
    return "accepted"


def _story(store: Store, test: _Test, since: datetime, wait: float) -> Story | None:
    until = time.monotonic() + wait
    while True:
        for kept in store.history.find(Wanted(since=since), 200):
            if kept.story.message_id == test.message_id:
                return kept.story
        if time.monotonic() >= until:
            return None
        time.sleep(_EVERY)


def _held(store: Store, test: _Test, story: Story, wait: float) -> tuple[str, ...]:
    """The ids of the copies that were to be held, once the desk has them."""
    due = [who for who, told in story.recipients if told.outcome == Outcome.QUARANTINE]
    until = time.monotonic() + wait
    while True:
        found = [one for who in due for one in store.quarantine.list(who, text=test.token)]
        if len(found) >= len(due) or time.monotonic() >= until:
            return tuple(one.id for one in found)
        time.sleep(_EVERY)


def _told(test: _Test, said: str, story: Story, held: tuple[str, ...]) -> dict[str, Any]:
    from tamis.filters.test_string import TestString  # noqa: PLC0415 - filters are not loaded for other commands

    due = sum(told.outcome == Outcome.QUARANTINE for _, told in story.recipients)
    return {
        "message_id": test.message_id,
        "queue_id": story.queue_id,
        "asked": test.asked,
        "postfix": said,
        "recipients": [
            {
                "recipient": who,
                "outcome": told.outcome,
                "decided_by": told.decided_by,
                "because": told.because,
            }
            for who, told in story.recipients
        ],
        "held": list(held),
        "as_asked": len(held) == due
        and all(
            told.decided_by == TestString.name and test.asked in (AS_SPAM, told.outcome)
            for _, told in story.recipients
        ),
    }


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['message_id']}, queue id {told['queue_id']}: Postfix said: {told['postfix']}"]
    lines += [
        f"  {one['recipient']}: {one['outcome']} ({one['decided_by'] or 'nothing'}: {one['because']})"
        for one in told["recipients"]
    ]
    lines += [f"  held as {one}; `tamis quarantine show {one}` has it" for one in told["held"]]
    if not told["as_asked"]:
        lines.append(f"It did not go where it asked ({told['asked']}).")
    return [printable(line) for line in lines]
