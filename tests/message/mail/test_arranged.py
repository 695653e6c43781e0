"""Words that style puts in or shows in another order than they are written, and addresses that no program follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail

HEAD = (
    b"From: a@example.net\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nSubject: x\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
)
WORD = "viagra"


def page(markup: str) -> Mail:
    return Mail(HEAD + f"<html><body>{markup}</body></html>".encode())


def pieces(style: str, word: str = WORD, tag: str = "span") -> str:
    """An element a letter; {n} and {m} count them from both ends."""
    last = len(word) - 1
    return "".join(
        f'<{tag} style="{style.format(n=at, m=last - at)}">{c}</{tag}>' for at, c in enumerate(word)
    )


BACK = WORD[::-1]
SHOWN = {
    "row-reverse": f'<div style="display:flex;flex-direction:row-reverse">{pieces("", BACK)}</div>',
    "row-reverse by sheet": "<style>.f{display:flex;flex-flow:row-reverse}</style>"
    f"<div class=f>{pieces('', BACK)}</div>",
    "column-reverse": f'<div style="display:flex;flex-direction:column-reverse">{pieces("", BACK)}</div>',
    "order": f'<div style="display:flex">{pieces("order:{m}", BACK)}</div>',
    "float right": f"<p>{pieces('float:right', BACK)}</p>",
    "float right by sheet": f"<style>b{{float:right}}</style><p>{pieces('', BACK, 'b')}</p>",
    "left": f"<p>{pieces('position:absolute;left:{m}em', BACK)}</p>",
    "right": f"<p>{pieces('position:absolute;right:{n}0px', BACK)}</p>",
    "inset": f"<p>{pieces('position:absolute;inset:0 auto auto {m}0px', BACK)}</p>",
    "grid column": f'<div style="display:grid">{pieces("grid-column:{m}", BACK)}</div>',
    "grid area": f'<div style="display:grid">{pieces("grid-area:1/{m}", BACK)}</div>',
    "translate": f"<p>{pieces('transform:translateX({m}0px)', BACK)}</p>",
    "cells from right": "<table dir=rtl><tr>" + "".join(f"<td>{c}</td>" for c in BACK) + "</tr></table>",
    "boxes from right": f'<div style="direction:rtl">{pieces("display:inline-block", BACK)}</div>',
    "isolate-override": f'<i style="unicode-bidi:isolate-override;direction:rtl">{BACK}</i>',
    "mirrored": f'<i style="display:inline-block;transform:scaleX(-1)">{BACK}</i>',
    "drawn letters": "<svg>" + "".join(f"<text x={9 - n}>{c}</text>" for n, c in enumerate(BACK)) + "</svg>",
    "content": f'<style>.a:before{{content:"{WORD}"}}</style><p class=a></p>',
    "content in pieces": '<style>.a::before{content:"via" "gra"}</style><p class=a></p>',
    "content escaped": '<style>.a::before{content:"\\76 iagra"}</style><p class=a></p>',
    "content behind": '<style>.a::after{content:"gra"}</style><p class=a>via</p>',
    "content before": '<style>.a::before{content:"via"}</style><p class=a>gra</p>',
    "content of an attribute": f"<style>.a:before{{content:attr(data-t)}}</style><p class=a data-t={WORD}></p>",
    "content of a variable": f'<style>:root{{--x:"{WORD}"}} p:before{{content:var(--x)}}</style><p></p>',
    "content in order": "<style>"
    + "".join(f'.a{n}:before{{content:"{c}"}}' for n, c in enumerate(WORD))
    + "</style>"
    + "".join(f"<i class=a{n}></i>" for n in range(len(WORD))),
    "marker": f"<ul style=\"list-style-type:'{WORD}'\"><li></li></ul>",
    "counter": f'<style>@counter-style v{{system:cyclic;symbols:"{WORD}"}}</style><ul><li></ul>',
    "quotes": f'<style>q{{quotes:"{WORD}" ""}}</style><q></q>',
    "label": f"<select><option label={WORD}></select>",
    "for Outlook": f"<!--[if mso]><p>{WORD}</p><![endif]-->",
    "VML": f'<!--[if mso]><v:textpath string="{WORD}"/><![endif]-->',
    "srcdoc": f'<iframe srcdoc="<p>{WORD}</p>"></iframe>',
    "data:": f'<iframe src="data:text/html,<p>{WORD}</p>"></iframe>',
}


@pytest.mark.parametrize("markup", SHOWN.values(), ids=SHOWN)
def test_words_are_seen_as_style_shows_them(markup: str) -> None:
    assert any(WORD in text for text in page(markup).visible), page(markup).visible


@given(
    st.permutations(range(8)),
    st.sampled_from(["order:{}", "left:{}px", "grid-column:{}", "transform:translatex({}px)", "float:right"]),
)
def test_any_order_is_undone(order: list[int], style: str) -> None:
    word = "pharmacy"
    if style == "float:right":
        order = list(range(7, -1, -1))
    letters = "".join(f'<b style="{style.format(at)}">{word[at]}</b>' for at in order)
    assert any(word in text for text in page(f"<div>{letters}</div>").visible)


def test_what_is_written_from_right_to_left_stays() -> None:
    mail = page("<div dir=rtl><p>\u05e9\u05dc\u05d5\u05dd \u05dc\u05db\u05dd</p><p>viagra</p></div>")
    assert not any(text.startswith("viagra") for text in mail.visible)


def test_styles_that_move_nothing_show_nothing_else() -> None:
    markup = '<style>.x{margin-left:3px;border:1px}.y:after{content:""}</style><p class=x>Hello <b class=y>you</b></p>'
    assert page(markup).visible == ("Hello you",)


@pytest.mark.parametrize(
    "markup",
    [
        "<div style='float:right'>" * 2000 + "xy" * 300_000,
        "<div dir=rtl>" * 9000 + "x" * 900_000,
        "<div>" + "<b style='float:right'>x</b>" * 9000,
        "<style>" + ".a{order:1}" * 400 + "</style><p class=a>x</p>",
    ],
    ids=["nested", "deep", "many", "rules"],
)
def test_what_is_not_put_in_order_is_told(markup: str) -> None:
    assert "html_truncated" in {defect.kind.value for defect in page(markup).defects}


DEFUSED = [
    "hxxp://bad.com/a",
    "hxxps://bad[.]com/a",
    "h**p://bad.com",
    "bad[.]com",
    "bad(.)com",
    "bad{.}com",
    "bad[dot]com",
    "bad (dot) com",
    "bad [ dot ] com",
    "http[:]//bad.com",
    "hxxps[://]bad[.]com/a?b",
    "http:// bad.com/",
    "http://bad .com/",
    "www . bad . com",
    "www dot bad dot com",
    "http://bad[dot]com/x",
    "bad\u3002com",
    "bad\uff0ecom/a",
]


@pytest.mark.parametrize("written", DEFUSED)
def test_defused_addresses_are_read_as_people_read_them(written: str) -> None:
    hosts = {url.host for url in page(f"<p>Go to {written} now</p>").urls}
    assert hosts & {"bad.com", "www.bad.com"}


@pytest.mark.parametrize(
    "written",
    ["See you . The end.", "array[.]length", "(1.)(2.) com", "It is so . Com", "e.g. (.) x", "I [dot] it"],
)
def test_other_dots_make_no_address(written: str) -> None:
    assert not page(f"<p>{written}</p>").urls


@pytest.mark.parametrize(
    "markup",
    [
        "<p onclick=\"location='http://bad.example/'\">x</p>",
        "<svg onload=\"location='//bad.example/'\">",
        "<div on=\"tap:AMP.navigateTo(url='http://bad.example/')\">x</div>",
        "<form action-xhr='https://bad.example/x'></form>",
        "<a [href]=\"'http://bad.example/'\">x</a>",
    ],
)
def test_handlers_and_amp_lead_somewhere(markup: str) -> None:
    assert "bad.example" in {url.host for url in page(markup).urls}
