"""Pictures of every page: `python -m tests.web.screenshots [FOLDER]` writes them, by default into docs/screens."""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tamis.base.tokens import Purpose
from tamis.challenge.code_media import SIZE, drawn
from tamis.contract.lists import Colour, Subject
from tamis.database.list_entries import NewEntry
from tamis.web.visit import SESSION
from tests.real.support import REPOSITORY
from tests.web.browser import DESKTOP, PHONE, chromium, context_of
from tests.web.console import numbers
from tests.web.console.mail import a_day
from tests.web.console.tuned import HERE, do_next, tune
from tests.web.pages import ADMIN, CODE, MARIE, Pages
from tests.web.samples import LISTED, content, message

FOLDER = REPOSITORY / "docs" / "screens"
SIZES = {"desk": DESKTOP, "phone": PHONE}
LONG = {"console-messages", "console-held", "console-policy"}
"""Of these pages what fits the window: what sticks to its end would stand in the middle of a picture of all."""
COLOURS = 64
"""Of a picture: flat pages need few, and small files can be kept in the repository."""

HTML = """
<h2 style="color:#0f5e6b">Devis n&deg; 2041</h2><p>Bonjour,</p><p>Voici le devis que vous avez demand&eacute;.</p>
<table border="1" cellpadding="6"><tr><th>R&eacute;vision</th><td>180 &euro;</td></tr>
<tr><th>Freins</th><td>240 &euro;</td></tr></table><p>Garage Martin</p>
"""
SETTINGS = {
    "web": {"administrators": {ADMIN: ["platform"]}},
    "policy": {
        "time_zone": "Europe/Paris",
        "digest": ["17:00"],
        "self_service": ["outcome", "required", "digest", "language", "time_zone"],
    },
}


EDIT = "/admin/rules/edit?in=platform"
RULES = """\
[[rule]]
name = "gift_cards"
match = ['pay by gift cards?']
action = "spam"
hits = ["Subject: Please pay by gift card\\n\\n"]

[[rule]]
name = "casino"
match = ['online casino']
action = "score"
points = 3.0
"""


def fill(pages: Pages) -> str:
    """Held mail and lists as Marie has them; the newest message."""
    number = ""
    for n, (author, subject, decided_by, age) in reversed(list(enumerate(LISTED))):
        held = message(n, header_from=author, subject=subject, decided_by=decided_by, age=age)
        number = pages.hold(held, content(html=HTML, files={"devis-2041.pdf": b"x" * 45_000}))
    pages.store.lists.add(
        [
            NewEntry(
                colour=Colour.WHITE, subject=Subject.SENDER, pattern="sophie@voyage.example.org", scope=MARIE
            ),
            NewEntry(colour=Colour.WHITE, subject=Subject.SENDER, pattern="*.ecole.example.org", scope=MARIE),
            NewEntry(colour=Colour.BLACK, subject=Subject.SENDER, pattern="offers.example.net", scope=MARIE),
        ]
    )
    return number


def asked(pages: Pages, number: int) -> str:
    """The path of a sender's page."""
    _, challenge = pages.store.challenges.hold_asked(
        message(number, subject="Facture 2041", age=timedelta(minutes=40)),
        content(f"No. {number}"),
        language="en",
        authenticated=True,
    )
    return f"/c/{pages.token(Purpose.CHALLENGE, challenge)}"


def visit(tab: Page, pages: Pages, number: str, place: int) -> Iterator[str]:
    """Go from page to page; the name of each."""
    sender = asked(pages, place)
    tab.goto(pages.url + sender)
    _wait_for_work(tab)
    yield "sender"
    tab.get_by_role("button", name=re.compile("^(Type|Recopier) ")).click()
    tab.locator("img.captcha").evaluate("i => i.decode()")
    yield "sender-code"
    tab.locator("#typed").fill(CODE)
    tab.locator("button.primary").click()
    tab.locator(".mark").wait_for()
    yield "sender-receipt"
    tab.goto(pages.url + asked(pages, place + 1000))
    _wait_for_work(tab)
    tab.locator("button.primary").click()
    tab.locator(".mark").wait_for()
    yield "sender-keep"
    tab.goto(f"{pages.url}/sign-in")
    yield "sign-in"
    tab.locator("#address").fill(MARIE)
    tab.locator("button.primary").click()
    tab.locator("h1").wait_for()
    yield "sign-in-sent"
    tab.goto(f"{pages.url}/sign-in/{pages.token(Purpose.SIGN_IN, MARIE, 'x')}")
    yield "sign-in-link"
    tab.goto(f"{pages.url}/c/x")
    yield "refused"
    tab.goto(f"{pages.url}/a/{pages.token(Purpose.ACTION, number)}?do=deliver")
    yield "confirm"
    tab.context.add_cookies([{"name": SESSION, "value": pages.session(MARIE), "url": pages.url}])
    tab.goto(f"{pages.url}/mail")
    yield "list"
    tab.goto(f"{pages.url}/mail/{number}")
    for summary in tab.locator("summary").all()[:2]:
        summary.click()
    tab.frame_locator("iframe").get_by_role("heading").wait_for()
    tab.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0) }")
    yield "message"
    tab.goto(f"{pages.url}/lists")
    yield "senders"
    tab.goto(f"{pages.url}/settings")
    yield "settings"
    yield from tuning(tab, pages)
    yield from console(tab, pages)


def console(tab: Page, pages: Pages) -> Iterator[str]:
    """As `visit`, what an administrator sees."""
    tab.context.add_cookies([{"name": SESSION, "value": pages.session(ADMIN), "url": pages.url}])
    *_, held, _ = a_day(pages)
    form = {"days": "7", "key": "filters.reverse_dns.state", "value": "off"}
    tried = pages.visitor(ADMIN).send(f"/admin/replay{HERE}", form, f"/admin/replay{HERE}").location
    do_next(pages)
    numbers.fill(pages.store)
    pages.store.healths.tell("mx1:/var/lib/tamis", numbers.well())
    saved = {"base": "0", "text": RULES, "verb": "save", "note": "sold by mail"}
    assert pages.visitor(ADMIN).send(EDIT, saved).status == 303
    for name, path in (
        ("messages", f"/admin/messages{HERE}"),
        ("story", f"/admin/messages/{held}{HERE}"),
        ("held", f"/admin/held{HERE}"),
        ("replay", tried),
        ("rules", "/admin/rules?in=platform"),
        ("overview", "/admin?span=30d"),
        ("mailboxes", "/admin/mailboxes"),
        ("mailbox", f"/admin/mailboxes/{MARIE}"),
        ("health", "/admin/health"),
    ):
        tab.goto(pages.url + path)
        yield f"console-{name}"


def tuning(tab: Page, pages: Pages) -> Iterator[str]:
    """As `visit`, the pages about policy."""
    tune(pages)
    tab.context.add_cookies([{"name": SESSION, "value": pages.session(ADMIN), "url": pages.url}])
    for name in ("policy", "policy/versions", "suggest/2", "lists"):
        tab.goto(f"{pages.url}/admin/{name}{HERE}")
        yield f"console-{name.partition('/')[0]}{'-versions' if name.endswith('versions') else ''}"


def _wait_for_work(tab: Page) -> None:
    said = re.compile("^(You can confirm.|Vous pouvez confirmer.)$")
    tab.locator("[data-status]").filter(has_text=said).wait_for()
    tab.wait_for_timeout(200)  # the button's colour fades in


def codes() -> bytes:
    """Six codes as people get them."""
    (width, height), gap = SIZE, 8
    sheet = Image.new("RGB", (3 * (width + gap) - gap, 2 * (height + gap) - gap), "#8a9aa0")
    for number, code in enumerate(("472904", "970242", "209747", "042970", "794022", "927404")):
        at = (number % 3 * (width + gap), number // 3 * (height + gap))
        sheet.paste(Image.open(io.BytesIO(drawn(code))), at)
    made = io.BytesIO()
    sheet.save(made, "PNG")
    return made.getvalue()


def pictures(browser: Browser, folder: Path) -> Iterator[Path]:
    """Every page, at two widths, in two languages, and the list in the dark as well."""
    for place, (size, language, dark) in enumerate(
        ((s, lang, dark) for s in SIZES for lang in ("en", "fr") for dark in (False, True)), 100
    ):
        if dark and (size, language) != ("desk", "en"):
            continue
        with tempfile.TemporaryDirectory() as state, Pages(Path(state), SETTINGS) as pages:
            number = fill(pages)
            context = context_of(browser, size=SIZES[size], language=language, dark=dark)
            tab = context.new_page()
            for name in visit(tab, pages, number, place):
                if dark and name not in ("list", "message", "sender", "console-overview"):
                    continue
                path = folder / f"{name}-{language}-{size}{'-dark' if dark else ''}.png"
                whole = name not in LONG
                _save(tab.screenshot(full_page=whole, animations="disabled", caret="hide"), path)
                yield path
            context.close()


def _save(png: bytes, path: Path) -> None:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    flat = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat.save(path, optimize=True)


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        _save(codes(), folder / "codes.png")
        for path in pictures(browser, folder):
            sys.stdout.write(f"{path} {path.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main()
