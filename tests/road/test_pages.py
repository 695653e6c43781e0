"""From Postfix to the inbox by way of the pages: a sender confirms in a real browser, and mail arrives by IMAP."""

from __future__ import annotations

import asyncio
import email
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import default

import pytest
from playwright.sync_api import Browser, Page, expect

from tamis.services.state.opening import open_state
from tamis.settings import read_settings
from tests.real import Client, PrivateDNS, PrivateDovecot, wait_until
from tests.road.installation import POLICY, Installation, spam
from tests.web.browser import PHONE, chromium, context_of

pytestmark = pytest.mark.real

FRIEND = Client("192.0.2.7")  # may send for example.net
ALICE, CAROL = "alice@example.com", "carol@example.org"
ZONES = {
    "com": "",
    "example.net": '@ MX 10 mail\n@ TXT "v=spf1 ip4:192.0.2.7 -all"\nmail A 192.0.2.7\n',
    "2.0.192.in-addr.arpa": "7 PTR mail.example.net.\n",
}


@pytest.fixture(scope="module")
def dovecot() -> Iterator[PrivateDovecot]:
    with PrivateDovecot(tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def installation(dovecot: PrivateDovecot) -> Iterator[Installation]:
    """Postfix, Tamis with its pages, Dovecot behind: example.com asks by mail, example.org in the reply."""
    settings = {
        "platform": {"domains": ["example.com", "example.org"], "dnsbl": [], "rhsbl": [], "uribl": []},
        "notices": {"wait": 0.0},
        "web": {"imap": f"imaps://127.0.0.1:{dovecot.imaps_port}", "imap_ca": str(dovecot.certificate)},
    }
    policy = {**POLICY, "mailboxes": {}, "domains": {"example.org": {"challenge": "reply"}}}
    with PrivateDNS(ZONES) as nameserver:
        settings["dns"] = {"servers": [nameserver.address]}
        with Installation(policy=policy, settings=settings, mailbox_transport=dovecot.transport) as running:
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def arrived(
    dovecot: PrivateDovecot, recipient: str, number: int, folder: str = "INBOX"
) -> list[EmailMessage]:
    """The copies of a message that a mail program finds."""
    return [
        parsed(octets)
        for octets in dovecot.mailbox(recipient, folder)
        if b"<%d@example.net>" % number in octets
    ]


def parsed(octets: bytes) -> EmailMessage:
    mail = email.message_from_bytes(octets, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def noticed(installation: Installation, sender: str) -> str:
    """The link in the notice that arrived at the sender's."""

    def notices() -> list[EmailMessage]:
        mails = [parsed(octets) for octets in installation.postfix.outside()]
        return [mail for mail in mails if mail["X-Original-To"] == sender]

    wait_until(
        lambda: bool(notices()), timeout=30, what="the notice", detail=installation.daemon.failure_report
    )
    (notice,) = notices()
    body = notice.get_body(("plain",))
    assert body is not None
    (link,) = set(re.findall(r"http://\S+/c/\S+", body.get_content()))
    return str(link)


def code_of(installation: Installation, tab: Page) -> str:
    """What stands in the image: the shared state knows."""
    settings = read_settings(installation.daemon.config).settings
    name = tab.locator("input[name=code]").input_value()

    async def look() -> str:
        state = open_state(settings)
        try:
            kept = await state.get(f"captcha:code:{name}")
        finally:
            await state.close()
        assert kept is not None
        return str(json.loads(kept)[1])

    with ThreadPoolExecutor(1) as pool:  # Playwright has a loop of its own in this thread
        return pool.submit(lambda: asyncio.run(look())).result()


def passes_now(
    installation: Installation, dovecot: PrivateDovecot, sender: str, to: str, number: int
) -> None:
    """Another message of that sender reaches the inbox, and its header says why."""

    def passes() -> bool:
        installation.postfix.send(spam(number), to=[to], sender=sender, client=FRIEND)
        installation.postfix.wait_idle()
        return bool(arrived(dovecot, to, number))

    wait_until(passes, timeout=60, what="the sender to be known")
    header = arrived(dovecot, to, number)[0]["X-Spam-Whitelist"]
    assert header == f"Automatically Whitelisted ({sender}, weight 2)"


def test_asked_by_mail_and_confirmed_by_the_real_proof_of_work(
    installation: Installation, dovecot: PrivateDovecot, browser: Browser
) -> None:
    sender = "jean@example.net"
    installation.postfix.send(spam(1), to=[ALICE], sender=sender, client=FRIEND)
    installation.postfix.wait_idle()
    link = noticed(installation, sender)
    assert arrived(dovecot, ALICE, 1) == []
    context = context_of(browser, size=PHONE, language="fr")
    tab = context.new_page()
    tab.goto(link)
    expect(tab.get_by_role("heading", level=1)).to_have_text(f"Votre message à {ALICE} est en attente")
    expect(tab.get_by_role("status")).to_have_text("Vous pouvez confirmer.")
    assert arrived(dovecot, ALICE, 1) == []
    tab.get_by_role("button", name=re.compile("ai envoyé")).click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(f"Message remis à {ALICE}")
    tab.goto(link)
    expect(tab.get_by_role("heading", level=1)).to_have_text("Votre message a été remis")
    context.close()
    installation.postfix.wait_idle()
    (copy,) = arrived(dovecot, ALICE, 1)
    assert copy["X-Spam-Status"] == f"No, released by its sender {sender}"
    assert arrived(dovecot, ALICE, 1, "Junk") == []
    installation.postfix.send(spam(2), to=[ALICE], sender=sender, client=FRIEND)
    installation.postfix.wait_idle()
    assert arrived(dovecot, ALICE, 2) == []  # a machine's work opens the door for that message alone


def test_asked_in_the_smtp_reply(
    installation: Installation, dovecot: PrivateDovecot, browser: Browser
) -> None:
    """The sender's own server tells the sender: nothing of ours is sent."""
    sender = "paul@example.net"
    sent = installation.postfix.send(spam(11), to=[CAROL], sender=sender, client=FRIEND)
    assert sent.reply.code == 550
    link = re.findall(r"http://\S+/c/\S+", sent.reply.text)[0]
    context = context_of(browser)
    tab = context.new_page()
    tab.goto(link)
    expect(tab.get_by_role("status")).to_have_text("You can confirm.")
    tab.get_by_role("button", name="I sent it: deliver it").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(f"Delivered to {CAROL}")
    context.close()
    installation.postfix.wait_idle()
    assert len(arrived(dovecot, CAROL, 11)) == 1
    assert installation.postfix.send(spam(12), to=[CAROL], sender=sender, client=FRIEND).reply.code == 550
    assert [m for m in installation.postfix.outside() if sender.encode() in m] == []


def test_without_javascript(installation: Installation, dovecot: PrivateDovecot, browser: Browser) -> None:
    sender = "anne@example.net"
    installation.postfix.send(spam(21), to=[ALICE], sender=sender, client=FRIEND)
    installation.postfix.wait_idle()
    context = context_of(browser, javascript=False)
    tab = context.new_page()
    tab.goto(noticed(installation, sender))
    tab.get_by_role("button", name="I sent it: deliver it").click()
    tab.locator("#typed").fill(code_of(installation, tab))
    tab.get_by_role("button", name="I sent it: deliver it").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(f"Delivered to {ALICE}")
    context.close()
    installation.postfix.wait_idle()
    assert len(arrived(dovecot, ALICE, 21)) == 1
    passes_now(installation, dovecot, sender, ALICE, 22)


def test_the_recipient_signs_in_delivers_and_blocks(
    installation: Installation, dovecot: PrivateDovecot, browser: Browser
) -> None:
    """By the link that arrives in the mailbox, and by the mailbox's password."""
    bob = "bob@example.com"
    for number, sender in ((31, "first@example.net"), (32, "second@example.net")):
        installation.postfix.send(spam(number), to=[bob], sender=sender, client=FRIEND)
    installation.postfix.wait_idle()
    url = installation.daemon.settings["web"]["url"]
    context = context_of(browser)
    tab = context.new_page()
    tab.goto(url)
    tab.get_by_label("Your email address").fill(bob)
    tab.get_by_role("button", name="Send me the link").click()
    expect(tab.get_by_role("heading", name="Check your mailbox")).to_be_visible()

    def links() -> list[str]:
        return re.findall(
            r"http://\S+/sign-in/[\w.-]+", b"".join(dovecot.mailbox(bob)).decode().replace("=\r\n", "")
        )

    wait_until(lambda: bool(links()), timeout=60, what="the link", detail=installation.daemon.failure_report)
    tab.goto(links()[0])
    tab.get_by_role("button", name="Show my held mail").click()
    expect(tab.locator("[data-row]")).to_have_count(2)
    tab.locator("[data-row]").last.get_by_role("button", name=re.compile("^Deliver")).click()
    expect(tab.get_by_role("status")).to_contain_text("Delivered.")
    context.close()
    installation.postfix.wait_idle()
    (copy,) = arrived(dovecot, bob, 31)
    assert copy["X-Spam-Status"] == f"No, released by {bob}"

    context = context_of(browser)
    tab = context.new_page()
    tab.goto(url)
    for password, place, text in (
        ("wrong", "[role=alert]", "The address or password is incorrect."),
        ("secret", "h1", "Held for you 1"),
    ):
        if not tab.get_by_label("Password", exact=True).is_visible():
            tab.get_by_text("Sign in with my mailbox password").click()
        tab.get_by_label("Email address", exact=True).fill(bob)
        tab.get_by_label("Password", exact=True).fill(password)
        tab.keyboard.press("Enter")
        expect(tab.locator(place)).to_have_text(text)
    tab.get_by_role("link", name=re.compile("Привет")).click()
    tab.get_by_role("button", name="Always block").click()
    expect(tab.get_by_role("status")).to_contain_text("will always be held")
    context.close()
    entries = installation.tamis("lists", "show", "--scope", bob, "--json")
    assert [(e["colour"], e["pattern"]) for e in entries] == [("black", "sender@example.net")]


def test_the_pages_are_replaced_when_they_die_and_stop_with_the_rest(installation: Installation) -> None:
    killed = installation.daemon.kill("web")
    installation.daemon.wait_replaced("web", killed)
    installation.daemon.hup()
    assert "Traceback" not in installation.daemon.log()
