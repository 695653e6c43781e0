"""Visible text and links of markup."""

from __future__ import annotations

import pytest

from tamis.message.mail import DefectKind, Html, Limits, Mail
from tamis.message.mail.markup import rewrite


def parse(source: str, limits: Limits | None = None) -> Mail:
    raw = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source.encode()
    return Mail(raw, limits=limits) if limits else Mail(raw)


def html(source: str) -> Html:
    return parse(source).html[0]


BIG = "<p>filler</p>" * 4000  # enough for markup to be rewritten before it is parsed


@pytest.mark.parametrize("filler", ["", BIG])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("V<b></b>ia<i>g</i>ra", "Viagra"),
        ("a<br>b", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a\nb"),
        ("&lt;x&gt; &amp; caf&eacute; &#233;", "<x> & café é"),
        ("<script>no</script><style>no</style>yes", "yes"),
        ("<head><title>no</title></head><body>yes", "yes"),
        ("<!-- no -->yes", "yes"),
        ('<div style="display: NONE">no</div>yes', "yes"),
        ('<div style="color:red;visibility:hidden">no</div>yes', "yes"),
        ('<span style="font-size:0px">no</span>yes', "yes"),
        ('<span style="font-size:0.9em">yes</span>', "yes"),
        ('<font style="display:none">no</font>yes', "yes"),
        ("<div hidden>no</div>yes", "yes"),
        ('<div style="display:none">no<p style="display:none">no</p></div>yes', "yes"),
        ('<body style="display:none">yes', "yes"),
        ("1 < 2", "1 < 2"),
        ("", ""),
    ],
)
def test_visible_text(source: str, expected: str, filler: str) -> None:
    text = html(source + filler).text
    assert text.removesuffix("filler\n" * 3999 + "filler").strip() == expected


@pytest.mark.parametrize("filler", ["", BIG])
def test_links_are_taken_with_their_text(filler: str) -> None:
    links = html(
        '<a href="http://a.example.com/?x=1&amp;y=2"><b>click</b> here</a>'
        "<img src=//i.example.com/p.gif alt='a picture'><form action='http://f.example.com'>"
        "<A HREF=http://b.example.com/c>" + filler
    ).links
    assert [(link.tag, link.href) for link in links] == [
        ("a", "http://a.example.com/?x=1&y=2"),
        ("img", "//i.example.com/p.gif"),
        ("form", "http://f.example.com"),
        ("a", "http://b.example.com/c"),
    ]
    assert [link.text for link in links[:2]] == ["click here", "a picture"]


@pytest.mark.parametrize(
    "style",
    [
        *(
            "display:n&#111;ne",
            "&#100;isplay:n&#x6f;ne",
            "visib&#105;lity:h&#105;dden",
            "color&colon;&num;fff",
        ),
        *("co&#108;or:#fff", "color:&#35fff", "fo&#110;t-size:&#49;px", "display&colon;none"),
    ],
)
def test_a_style_written_with_character_references_hides_as_well(style: str) -> None:
    page = html(f'<p>seen</p><p style="{style}">secret</p>')
    assert page.text == "seen"
    assert page.hidden == "secret"


def test_tags_are_counted() -> None:
    assert dict(html("<P>a<p>b<IMG><br></p>").tags) == {"p": 2, "img": 1, "br": 1}


def test_every_html_part_is_parsed_once() -> None:
    mail = parse("<p>x")
    assert mail.html is mail.html
    assert mail.html[0].source == "<p>x"


def test_source_beyond_the_bound_is_left_out() -> None:
    mail = parse("<p>seen" + "x" * 100, Limits(html_characters=7))
    assert mail.text == "seen"
    assert DefectKind.HTML_TRUNCATED in {defect.kind for defect in mail.defects}


def test_tags_beyond_the_bound_are_stripped_and_their_text_kept() -> None:
    mail = parse("<b>a</b>" * 5000 + "<i>end</i>", Limits(html_tags=100))
    assert mail.text.endswith("end")
    assert "<" not in mail.text
    assert DefectKind.HTML_TRUNCATED in {defect.kind for defect in mail.defects}


def test_links_are_bounded() -> None:
    mail = parse("<a href=http://example.com/>x</a>" * 9, Limits(links=4))
    assert len(mail.html[0].links) == 4


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p lang=x class=y>a</p>", '<p class="y">a</p>'),
        ("<FONT face=x color=red>a</FONT>", '<x-f color="red">a</x-f>'),
        ('<a title=">" href=x>', '<a href="x">'),
        ("<a href='a\"b'>", '<a href="a&quot;b">'),
        ("a<b", "a"),
        ("a < b", "a &lt; b"),
        ("<!-- <p> -->b<!doctype html>c", "bc"),
        ("<script><p></script>b", "b"),
        ("<script><p>b", "<p>b"),
        ('<p x="never closed>b<p>', ""),
    ],
)
def test_rewriting(source: str, expected: str) -> None:
    assert rewrite(source, 100)[0] == expected


def test_rewriting_says_when_tags_are_left() -> None:
    assert tuple(rewrite("<p><p><p>", 2)) == ("<p><p> ", 3, True)
    assert tuple(rewrite("<p><p>", 2)) == ("<p><p>", 2, False)
