"""Text as a reader sees it: no way of writing a phrase keeps it from a rule's literal pattern.

An ordinary run tries two hundred of each, and 2,000 with `pytest --hypothesis-profile=many`.
"""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.message.mail.visible import canonical, folded, looks, skeleton, skeletons, spelled
from tamis.rules.places import octets

PHRASE = "miracle cure"
INVISIBLE = (
    *(
        "\u00ad",
        "\u034f",
        "\u061c",
        "\u180e",
        "\u200b",
        "\u200c",
        "\u200d",
        "\u200e",
        "\u200f",
        "\u202a",
        "\u202c",
    ),
    *("\u2060", "\u2061", "\u2064", "\u2066", "\u2069", "\u206f", "\ufe00", "\ufe0f", "\ufeff", "\U000e0020"),
    *("\U000e0061", "\U000e0100", "\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\u17b4", "\x01", "\x7f"),
    *("\x1c", "\x1f", "\ufdd0", "\uffff", "\U0001fffe", "\u2065", "\ufff9"),
)
BLANKS = (
    *(
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u1680",
        "\u2002",
        "\u2003",
        "\u2009",
        "\u202f",
        "\u205f",
        "\u3000",
    ),
    *("\u2028", "\u2029", "\n> ", "\n>> ", " \n", "\u3164", "\u2800", "\x85"),
)
LOOKALIKES = {
    "m": "\U0001d426\uff4d\u217f\u24dc",
    "i": "\u0456\u1d62\uff49\U0001d456\u24d8\u0131",
    "r": "\U0001d42b\uff52\u24e1\u0280",
    "a": "\u249c\u0430\u03b1\uff41\U0001d41a\u24d0\u1d00",
    "c": "\u0441\u03f2\uff43\U0001d41c\u24d2\u1d04",
    "l": "\uff4c\U0001d425\u217c\u24db\u029f",
    "e": "\u0435\uff45\U0001d41e\u24d4\u1d07",
    "u": "\uff55\U0001d42e\u24e4\u1d1c",
}
TRIES = settings(max_examples=max(200, settings().max_examples), deadline=None)


def plain(text: str, subject: str = "Hello") -> Mail:
    head = f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    return Mail((head + text).encode())


def page(source: str) -> Mail:
    return Mail(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source.encode())


def found(mail: Mail, place: str = "text", phrase: str = PHRASE) -> bool:
    pattern = re.compile(rf"\b{phrase}\b".encode(), re.IGNORECASE)
    return any(pattern.search(way) for way in octets(mail, place))


@st.composite
def _scattered(draw: st.DrawFn) -> str:
    """The phrase with characters that can't be seen among its letters."""
    letters = [
        letter + "".join(draw(st.lists(st.sampled_from(INVISIBLE), max_size=3))) if letter != " " else letter
        for letter in PHRASE
    ]
    return "".join(letters)


@TRIES
@given(_scattered())
def test_invisible_characters_hide_no_word(text: str) -> None:
    assert found(plain(f"Our {text} is here."))
    assert found(page(f"<p>Our {text} is here.</p>"))


@TRIES
@given(st.lists(st.sampled_from(BLANKS), min_size=1, max_size=5).map("".join))
def test_no_white_space_parts_a_phrase(blank: str) -> None:
    written = f"Our miracle{blank}cure is here."
    assert found(plain(written))
    assert found(page(f"<p>{written.replace('>', '')}</p>"))


@TRIES
@given(st.tuples(*(st.sampled_from(letter + LOOKALIKES.get(letter, "")) for letter in PHRASE)).map("".join))
def test_lookalikes_are_read_as_what_they_look_like(text: str) -> None:
    mail = plain(f"Everybody speaks of our {text} this week.")
    assert found(mail) or found(mail, "skeleton")
    assert found(mail, "skeleton")
    if re.search(r"[a-z]", text):
        assert found(mail)


HIDING = (
    "display:none",
    "DISPLAY : none !important",
    "visibility:hidden",
    "opacity:0",
    "opacity:.01",
    "opacity:1%",
    "font-size:0",
    "font-size:0.1px",
    "font-size:1px",
    "font-size:.05em",
    "font-size:1%",
    "font:0/0 a",
    "font:italic bold 1px/1 serif",
    "color:#fff",
    "color:white",
    "color:#fefefe",
    "color:rgb(254,254,254)",
    "color:rgba(0,0,0,0)",
    "color:transparent",
    "color:hsl(0,0%,100%)",
    "background:#123456;color:#123457",
    "position:absolute;left:-9999px",
    "position:fixed;top:-500em",
    "text-indent:-999px",
    "margin-left:-5000px",
    "max-height:0;overflow:hidden",
    "height:0;overflow:hidden",
    "width:0;overflow-x:hidden",
    "max-width:1px;overflow:clip",
    "position:absolute;clip:rect(0,0,0,0)",
    "clip:rect(1px 1px 1px 1px)",
    "clip-path:inset(100%)",
    "clip-path:circle(0)",
    "transform:scale(0)",
    "transform:translateX(-9999px)",
    "filter:opacity(0)",
    "filter:alpha(opacity=0)",
    "d\\69splay:none",
    "display:/**/none",
    "/* a */display:none",
    "color:red;display:none;margin:0",
)
ELEMENTS = ("span", "b", "i", "font", "em", "strong", "u", "x-y", "a", "small")


@st.composite
def _hidden_within(draw: st.DrawFn) -> str:
    """A page in which something hidden stands within the phrase."""
    element, style = draw(st.sampled_from(ELEMENTS)), draw(st.sampled_from(HIDING))
    at = draw(st.integers(1, len(PHRASE) - 1).filter(lambda n: " " not in PHRASE[n - 1 : n + 1]))
    way = draw(st.integers(0, 5))
    sheets = (
        "",
        f"<style>.q {{{style}}}</style>",
        f"<style>#w{{{style}}}</style>",
        f"<style>p,x-z.q{{color:red}}@media screen{{.q{{{style}}}}}</style>",
        f"<style><!-- {element} {{ {style} }} --></style>",
        f"<style>div p .q{{{style}}}</style>",
    )
    named = f'style="{style}"' if not way else 'class="z q" id=w'
    inner = draw(st.sampled_from(("zebra", "zebra <b>crossing</b>", "z")))
    return (
        f"{sheets[way]}<div><p>Our {PHRASE[:at]}<{element} {named}>{inner}</{element}>{PHRASE[at:]}</p></div>"
    )


@TRIES
@given(_hidden_within())
def test_nothing_hidden_parts_a_phrase(source: str) -> None:
    assert found(page(source)), page(source).visible


@pytest.mark.parametrize("style", HIDING)
def test_hidden_text_is_a_place_of_its_own(style: str) -> None:
    mail = page(f'<p>Good day.</p><div style="{style}">zebra crossing</div>')
    assert found(mail, "hidden", "zebra crossing")
    assert not found(mail, "text", "zebra crossing")


@pytest.mark.parametrize(
    "source",
    [
        "<p style='font-size:0'><span style='font-size:14px'>miracle cure</span></p>",
        "<p style='visibility:hidden'><b style='visibility:visible'>miracle cure</b></p>",
        "<p style='display:none;display:block'>miracle cure</p>",
        "<style>p{display:none}p{display:block}</style><p>miracle cure</p>",
        "<style>p{display:none}</style><p style='display:block'>miracle cure</p>",
        "<style>p{display:none}#a{display:block}</style><p id=a>miracle cure</p>",
        "<style>p{display:block!important}</style><p style='display:none'>miracle cure</p>",
        "<style>@media (max-width:600px){p{display:none}}</style><p>miracle cure</p>",
        "<style>@media print{p{display:none}}</style><p>miracle cure</p>",
        "<style>p:hover{display:none}</style><p>miracle cure</p>",
        "<table><tr><td bgcolor=black><font color=white>miracle cure</font></td></tr></table>",
        "<div style='background:#333'><p style='color:#fff'>miracle cure</p></div>",
        "<body style='display:none'>miracle cure",
        "<p style='color:#767676'>miracle cure</p>",
        "<p style='font-size:9px;text-indent:-20px;max-height:0;opacity:.6'>miracle cure</p>",
        "<div style='overflow:hidden;max-width:600px;height:40px'>miracle cure</div>",
        "<p style='mso-hide:all'>miracle cure</p>",
        "<font color=white><table><tr><td>miracle cure</td></tr></table></font>",
        "<td background='x.png' style='color:#fff'>miracle cure",
        "<textarea>miracle cure</textarea>",
        "<noscript>miracle cure</noscript>",
        "<a href='http://a.example/' style='color:#0645ad'>miracle cure</a>",
    ],
)
def test_what_is_shown_is_seen(source: str) -> None:
    assert found(page(source))


@TRIES
@given(st.lists(st.sampled_from("\u0332\u0335\u0338\u20dd\u20e3"), min_size=1, max_size=3).map("".join))
def test_lines_through_letters_and_blanks_hide_no_word(marks: str) -> None:
    assert found(plain(f"Our {marks.join(PHRASE)}{marks} is here."))


def test_letters_that_nobody_writes_are_read_as_what_they_look_like() -> None:
    assert folded("\u13a1\u13aa") == "RA"  # Cherokee, and no Latin letter beside


@pytest.mark.parametrize("control", ["\0", "\x1c", "\x1f"])
def test_controls_in_the_text_of_a_page_part_no_word(control: str) -> None:
    assert found(page(f"<p>Our mir{control}acle cu{control}re is here.</p>"))


def test_letters_of_images_make_words() -> None:
    word = "".join(f'<img src="cid:{c}" alt="{c}">' for c in "cure")
    assert found(page(f"<p>Our miracle {word} is here.</p>"))


@pytest.mark.parametrize(
    "sheet",
    [
        '<link rel=stylesheet href="data:text/css,.z{display:none}">',
        "<style>@import url('data:text/css,.z{display:none}');</style>",
    ],
)
def test_a_style_sheet_within_a_reference_hides(sheet: str) -> None:
    assert found(page(f"{sheet}<p>Our mir<i class=z>zebra</i>acle cure is here.</p>"))


def test_text_from_right_to_left_is_read_as_shown() -> None:
    assert canonical("our \u202eeruc elcarim\u202c today") == "our miracle cure today"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'\u00e9t\u00e9 \u00e0 la p\u00e2tisserie", "l'\u00e9t\u00e9 \u00e0 la p\u00e2tisserie"),
        (
            "\u041f\u0440\u0438\u0432\u0435\u0442, SMS-\u043a\u0430",
            "\u041f\u0440\u0438\u0432\u0435\u0442, SMS-\u043a\u0430",
        ),
        ("\u65e5\u672c\u8a9e", "\u65e5\u672c\u8a9e"),
        (
            "\u03ba\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1",
            "\u03ba\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1",
        ),
    ],
)
def test_other_languages_stay_as_they_are(text: str, expected: str) -> None:
    assert folded(canonical(text)) == expected


@TRIES
@given(
    st.tuples(
        *(
            st.sampled_from(
                {
                    "i": "i1!\u00a1",
                    "a": "a4@\u0430\u0105",
                    "e": "e3\u20ac\u0119",
                    "l": "l1|I\u0142",
                    "c": "c\u00a9\u0107\u0188",
                }.get(letter, letter)
            )
            for letter in PHRASE
        )
    ).map("".join),
    st.sampled_from(["", ".", "-", "_", "*", " "]),
)
def test_letters_apart_and_signs_for_letters_are_read_in_the_skeleton(text: str, apart: str) -> None:
    assume(all(3 * len(re.findall("[^\\W0-9_]", word)) >= len(word) for word in text.split()))
    words = " ".join(apart.join(word) for word in text.split()) if apart != " " else "  ".join(text.split())
    assert any("mirac" in way or "cure" in way for way in skeletons(words))
    if "1" not in text or "l" in text:
        assert found(plain(f"Everybody speaks of our {words} this week."), "skeleton")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("buy v.i.a.g.r.a now", "buy viagra now"),
        ("w a t c h e s", "watches"),
        ("v1@gra!", "viagra!"),
        ("c1ick", "click"),
        ("\\/iagra", "viagra"),
        ("v-1-a-g-r-a", "viagra"),
        ("miracIe", "miracle"),
        ("mirac\u00a3e cure", "miracle cure"),
        ("mi|2ac|e", "miracle"),
        ("\u0142\u00f8ans", "loans"),
        ("miracle\u2013cure", "miracle-cure"),
    ],
)
def test_masked_words(text: str, meant: str) -> None:
    assert meant in skeletons(text)


def test_words_spelled_out_are_read_one_by_one() -> None:
    """Blanks between letters, more between words: a reader tells the words apart."""
    assert spelled("a m i r a c l e\u00a0 c u r e x") == "amiracle\u00a0 curex"
    assert spelled("no a b such thing") == ""
    assert found(plain("Buy  m i r a c l e  c u r e  here."), "skeleton")
    assert found(Mail(b"Subject: m i r a c l e  c u r e\r\n\r\nHello."), "skeleton")


def test_the_first_skeleton_is_as_written() -> None:
    assert skeletons("B2B at 5 p.m., mp3 for 3$")[0] == "B2B at 5 p.m., mp3 for 3$"


def test_the_skeleton_takes_off_accents() -> None:
    assert skeleton("p\u00e2t\u00e9 \u0440\u0430\u0443\u0440\u0430l") == "pate paypal"


@given(st.text())
def test_the_canonical_form_is_final(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert looks(text)[0] == canonical(text) or len(looks(text)) > 1


@pytest.mark.parametrize(
    "text", ["\u0301\u0327", "\ufdfa", "a\u0301\u0327", "\u3164", "\u202e", "\n>", "\u0430", "e\u0301 "]
)
def test_no_text_takes_long(text: str) -> None:
    mail = plain(text * (1_000_000 // len(text)))
    start = time.process_time()
    ways = octets(mail, "text") + octets(mail, "skeleton")
    assert time.process_time() - start < 5
    assert all(len(way) <= 131_072 for way in ways)
