"""However a page hides letters within a phrase, or takes it apart, one of its readings has the phrase as it is seen.

An ordinary run tries two hundred of each, and 2,000 with `pytest --hypothesis-profile=many`.
"""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.message.mail import Mail

PHRASE = "miracle cure"
MANY = settings(deadline=None)
STYLES = [
    *("display:none", "DISPLAY : NONE !important", "display:none;display:bogus", "foo bar{};display:none"),
    *(
        "d\\69splay:none",
        "display:n\\6fne",
        "visibility:hidden",
        "visibility:collapse",
        "content-visibility:hidden",
    ),
    *("opacity:0", "opacity:.01", "opacity:0%", "opacity:0;opacity:much", "filter:opacity(0)"),
    *("filter:alpha(opacity=0)", "filter:brightness(0) invert(1)", "mix-blend-mode:screen"),
    *(
        "mask:linear-gradient(transparent,transparent)",
        "-webkit-mask-image:linear-gradient(transparent,transparent)",
    ),
    *(
        "clip-path:inset(50%)",
        "clip-path:circle(0)",
        "clip-path:inset(0 100% 0 0)",
        "-webkit-clip-path:inset(100%)",
    ),
    *("position:absolute;clip:rect(0,0,0,0)", "position:absolute;left:-9999px", "position:fixed;left:-999em"),
    *(
        "position:absolute;left:9999px",
        "position:absolute;inset:-9999px auto auto -9999px",
        "margin-left:-9999px",
    ),
    *(
        "display:inline-block;transform:scale(0)",
        "display:inline-block;scale:0",
        "-webkit-transform:scale(0,0)",
    ),
    *("display:inline-block;transform:matrix(0,0,0,0,0,0)", "translate:-9999px", "transform:rotateY(90deg)"),
    *("font-size:0", "font-size:1px", "font:0/0 a", "font-size:calc(1px - 1px)", "--s:0;font-size:var(--s)"),
    *("font-size:clamp(0px,0px,0px)", "font-size:0;font-size:tiny", "zoom:0", "zoom:0.01"),
    *("display:inline-block;max-height:0;overflow:hidden", "display:inline-block;width:0;overflow:clip"),
    *("display:inline-block;block-size:0;overflow:hidden", "display:block;text-indent:-9999px"),
    *("color:#fff", "color:snow", "color:rgb(100%,100%,100%)", "color:hsl(0,0%,100%)", "color:lab(100% 0 0)"),
    *(
        "color:color-mix(in srgb, white, white)",
        "color:rgb(0 0 0 / 0)",
        "color:#0000",
        "color:#fff;color:bogus",
    ),
    *("-webkit-text-fill-color:transparent", "color:red;background:red"),
    *("display:inline-block;line-height:0;overflow:hidden", "letter-spacing:-1em", "letter-spacing: -20px"),
    *("display:table-column", "display: table-column-group"),
    "color:blue;background-image:linear-gradient(blue,blue)",
]
MARKUP = [
    *(
        "<i hidden>{}</i>",
        "<font color=white>{}</font>",
        "<font color=white size=1>{}</font>",
        "<title>{}</title>",
        "<template>{}</template>",
    ),
    *(
        "<details><summary></summary>{}</details>",
        "<dialog>{}</dialog>",
        "<audio>{}</audio>",
        "<canvas>{}</canvas>",
    ),
    *(
        "<object data=x>{}</object>",
        "<datalist><option>{}</datalist>",
        "<svg><defs><text>{}</text></defs></svg>",
    ),
    *("<progress>{}</progress>", "<meter>{}</meter>", "<i popover>{}</i>"),
    *("<svg width=0 height=9><text>{}</text></svg>", "<math><annotation>{}</annotation></math>"),
    *(
        "<svg><title>{}</title></svg>",
        "<ruby><rp>{}</rp></ruby>",
        "<input type=hidden value={}>",
        "<!-- {} -->",
    ),
]
SELECTORS = [
    *(".z", "#z", "[data-z]", '[title^="q"]', "i:not(.y)", "p :not(b)", "p>i", "body p i", "i:nth-child(n)"),
    *(
        ":is(i,b)",
        ":where(i)",
        "b+i",
        "b~i",
        "b ~ *",
        ".a\\:b",
        ".\\31 a",
        "i *, i",
        ":lang(zz)",
        "p > b + i",
    ),
]
AROUND = [
    *("{}", "@media screen{{{}}}", "@media not print{{{}}}", "@media (width>=1px){{{}}}"),
    *(
        "@media (max-width:99999px){{{}}}",
        "@media (min-resolution:0dpi){{{}}}",
        "@supports (display:block){{{}}}",
    ),
    *(
        "@layer x{{{}}}",
        "@container (min-width:1px){{{}}}",
        "@media print,screen{{{}}}",
        "p{{& i{{display:none}}}} {}",
    ),
]
ELEMENT = "<b></b><i class='z a:b 1a' id=z data-z=1 title=q1 lang=zz>{}</i>"
NOISE = st.text("abcxyz", min_size=1, max_size=6)
PLACES = st.integers(1, len(PHRASE) - 1)


def seen(markup: str) -> tuple[str, ...]:
    return Mail(
        f"Content-Type: text/html; charset=utf-8\n\n<p>Dear friend</p><p>{markup}</p>".encode()
    ).visible


def has_phrase(markup: str) -> bool:
    return any(f" {PHRASE} " in f" {one} ".casefold() for one in seen(markup))


@MANY
@given(st.sampled_from(STYLES), PLACES, NOISE)
def test_letters_hidden_by_style(style: str, at: int, noise: str) -> None:
    assert has_phrase(f"{PHRASE[:at]}<span style='{style}'>{noise}</span>{PHRASE[at:]}"), style


@MANY
@given(st.sampled_from(MARKUP), PLACES, NOISE)
def test_letters_hidden_by_elements(element: str, at: int, noise: str) -> None:
    assert has_phrase(f"{PHRASE[:at]}{element.format(noise)}{PHRASE[at:]}"), element


@MANY
@given(
    st.sampled_from(SELECTORS),
    st.sampled_from(AROUND),
    st.sampled_from(["display:none", "font-size:0", "color:white"]),
    PLACES,
    NOISE,
)
def test_letters_hidden_by_sheets(selector: str, around: str, style: str, at: int, noise: str) -> None:
    sheet = around.format(f"{selector}{{{style}}}")
    assert has_phrase(f"<style>{sheet}</style>{PHRASE[:at]}{ELEMENT.format(noise)}{PHRASE[at:]}"), sheet


BESIDE = [
    *(
        "<div style='display:inline'>{}</div>",
        "<div style='float:left'>{}</div>",
        "<td>{}</td>",
        "<li>{}</li>",
    ),
    *(
        "<div style='display:contents'>{}</div>",
        "<section>{}</section>",
        "<article>{}</article>",
        "<h1>{}</h1>",
    ),
]


@MANY
@given(st.sampled_from(BESIDE), st.sets(PLACES.filter(lambda at: at != PHRASE.find(" ") + 1), max_size=11))
def test_words_in_blocks_side_by_side(block: str, places: set[int]) -> None:
    ends = [0, *sorted(places), len(PHRASE)]
    pieces = [PHRASE[begin:end].replace(" ", "&nbsp;") for begin, end in itertools.pairwise(ends)]
    row = "".join(map(block.format, pieces))
    assert has_phrase(f"<table><tr>{row}</tr></table>" if "td" in block else row), row


@pytest.mark.parametrize(
    "markup",
    [
        f"<bdo dir=rtl>{PHRASE[::-1]}</bdo>",
        f"<span style='unicode-bidi:bidi-override;direction:rtl'>{PHRASE[::-1]}</span>",
        f"<style>.r{{unicode-bidi:bidi-override;direction:rtl}}</style><i class=r>{PHRASE[::-1]}</i>",
        "<bdo dir=rtl>eruc <b>elca</b>rim</bdo>",
        f"<img alt='{PHRASE}'>",
        f"<input type=submit value='{PHRASE}'>",
        f"<input placeholder='{PHRASE}'>",
        f"<style>p::before{{content:'{PHRASE}'}}</style>",
        "<fieldset><legend>miracle</legend>cure</fieldset>",
        f"<details><summary>{PHRASE}</summary>x</details>",
        f"<noscript>{PHRASE}</noscript>",
        f"<div style='color:transparent;text-shadow:0 0 0 #000'>{PHRASE}</div>",
        f"<div style='color:#fff;-webkit-text-stroke:1px black'>{PHRASE}</div>",
        f"<div hidden style='display:block'>{PHRASE}</div>",
        f"<body bgcolor=black text=white>{PHRASE}",
        "<body bgcolor=black text=white>mira<font color=black>x</font>cle cure",
        f"<ruby>{PHRASE}<rt>x</rt></ruby>",
        f"<div style='visibility:hidden'><b style='visibility:visible'>{PHRASE}</b></div>",
        f"<style>@media print{{p{{display:none}}}}</style>{PHRASE}",
        f"<style>p:hover{{display:none}}</style>{PHRASE}",
    ],
)
def test_what_is_shown_is_seen_however_it_is_written(markup: str) -> None:
    assert has_phrase(markup)


def test_most_readers_text_keeps_what_is_in_doubt() -> None:
    page = b"<style>@media (x){p{display:none}}</style><p style='transform:skew(1deg)'>Hello</p>"
    mail = Mail(b"Content-Type: text/html\n\n" + page)
    assert mail.text == mail.displayed == "Hello"


def test_a_dark_page_of_a_newsletter_has_one_reading() -> None:
    sheet = "<style>@media (prefers-color-scheme:dark){p{color:#fff}}@media (max-width:480px){p{display:none}}</style>"
    assert seen(f"{sheet}Hello") == ("Dear friend Hello",)


@pytest.mark.parametrize(
    "selector",
    [
        "i " + "div " * 70,
        "a ~ " * 40 + "div",
        "div:not(i div div div div)",
        "div:has(i)",
        "div:nth-child(2n+1)",
        "div > " * 40 + "i",
    ],
)
def test_selectors_take_linear_time(selector: str) -> None:
    """lexbor alone takes minutes for the first."""
    deep, wide = "<div>" * 2000, "<div></div>" * 1000
    raw = f"Content-Type: text/html\n\n<style>{f'{selector}{{display:none}}' * 200}</style>{wide}{deep}x".encode()
    start = time.process_time()
    mail = Mail(raw)
    assert "x" in {mail.text, mail.hidden}
    assert time.process_time() - start < 2


_LATER = {
    "display:none": ("display:block", "all:unset", "all:initial", "display:initial", "display:revert"),
    "font-size:0": (
        "font:14px serif",
        "font-size:1rem",
        "font:menu",
        "font-size:xx-large",
        "font-size:5vmin",
        "all:initial",
    ),
    "opacity:0": ("opacity:1", "opacity:initial", "all:unset"),
    "visibility:hidden": ("visibility:visible", "visibility:initial", "all:initial"),
    "color:#fff": ("color:#000", "color:initial", "color:CanvasText", "background:#000", "all:initial"),
    "position:absolute;left:-9999px": ("left:auto", "inset:0", "position:static", "all:unset"),
    "margin-left:-9999px": ("margin:0", "margin-left:auto", "all:revert"),
    "max-height:0;overflow-y:hidden": ("max-height:none", "overflow:visible", "all:unset"),
    "clip-path:inset(100%)": ("clip-path:none", "all:unset"),
}
"""What hides an element's text, and what undoes it for the same element."""
_WITHIN = {
    "visibility:hidden": ("visibility:visible", "visibility:initial", "all:initial"),
    "font-size:0": (
        *("font-size:14px", "font:14px serif", "font-size:1rlh", "font-size:xxx-large", "font:caption"),
        *("font-size:calc(14px)", "font-size:var(--a,14px)", "font-size:initial", "all:initial"),
    ),
    "color:#fff": (
        *("color:#000", "color:initial", "color:light-dark(black,white)", "color:var(--a,#000)"),
        *("background:#000", "background:var(--a,#000)", "background-color:color-mix(in srgb,black,black)"),
    ),
    "position:absolute;left:-9999px": ("position:absolute;left:9999px", "position:fixed;left:0"),
    "text-indent:-9999px": ("text-indent:0", "display:inline-block;text-indent:0"),
    "margin-left:-9999px": ("margin-left:9999px",),
    "height:0;overflow:hidden": ("position:absolute", "position:fixed;top:0"),
    "transform:scale(0.001)": ("transform:scale(1000)",),
}
"""What hides an element's text, and what brings back that of an element within."""


def _pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(hidden, undone) for hidden, ways in table.items() for undone in ways]


@pytest.mark.parametrize(("hidden", "undone"), _pairs(_LATER))
@pytest.mark.parametrize(
    "page",
    [
        '<p style="{hidden};{undone}">{phrase}</p>',
        "<style>p{{{hidden}}}p{{{undone}}}</style><p>{phrase}</p>",
        "<style>p{{{hidden}}}</style><p style='{undone}'>{phrase}</p>",
        "<style>p{{{undone}!important}}</style><p style='{hidden}'>{phrase}</p>",
        "<style>#a{{{undone}}}p{{{hidden}}}</style><p id=a>{phrase}</p>",
    ],
)
def test_a_style_that_undoes_another_is_followed(hidden: str, undone: str, page: str) -> None:
    markup = page.format(hidden=hidden, undone=undone, phrase=PHRASE)
    mail = Mail(f"Content-Type: text/html\n\n{markup}".encode())
    assert any(PHRASE in way for way in mail.visible), markup


@pytest.mark.parametrize(("hidden", "undone"), _pairs(_WITHIN))
def test_what_is_within_can_be_brought_back(hidden: str, undone: str) -> None:
    mail = Mail(
        f'Content-Type: text/html\n\n<div style="{hidden}">x<span style="{undone}">{PHRASE}</span></div>'.encode()
    )
    assert any(PHRASE in way for way in mail.visible)


@pytest.mark.parametrize("hidden", ["font-size:0", "color:#fff"])
@pytest.mark.parametrize("element", ["<button>", "<textarea>", "<select><option>", "<mark>", "<dialog open>"])
def test_elements_with_a_style_of_their_own(hidden: str, element: str) -> None:
    if hidden == "font-size:0" and element in {"<mark>", "<dialog open>"}:
        return  # they have colours of their own, and no size
    mail = Mail(f'Content-Type: text/html\n\n<div style="{hidden}">x{element}{PHRASE}</div>'.encode())
    assert any(PHRASE in way for way in mail.visible)


@pytest.mark.parametrize(
    ("size", "seen"), [("5", True), ("+2", True), ("-9", True), ("x", False), ("", False)]
)
def test_letters_of_a_size_in_steps(size: str, seen: bool) -> None:
    mail = Mail(
        f'Content-Type: text/html\n\n<div style="font-size:0">x<font size="{size}">{PHRASE}</font></div>'.encode()
    )
    assert any(PHRASE in way for way in mail.visible) is seen


@pytest.mark.parametrize(
    "markup",
    [
        '<div style="font-size:0">x<span style="font-size:1em">{}</span></div>',
        '<div style="opacity:0">x<span style="opacity:1">{}</span></div>',
        '<div style="display:none">x<span style="display:block">{}</span></div>',
        '<div style="visibility:hidden">x<span style="visibility:inherit">{}</span></div>',
        '<div style="visibility:hidden">x<span style="all:unset">{}</span></div>',
        '<p style="all:unset;display:none">{}</p>',
        '<p style="font:14px serif;font-size:0">{}</p>',
        '<p style="display:none!important;all:unset">{}</p>',
        '<p style="all:bogus;display:none">{}</p>',
    ],
)
def test_what_undoes_nothing_stays_hidden(markup: str) -> None:
    mail = Mail(f"Content-Type: text/html\n\nHello. {markup.format(PHRASE)}".encode())
    assert not any(PHRASE in way for way in mail.visible)
    assert PHRASE in mail.hidden
