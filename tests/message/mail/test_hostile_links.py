"""Markup, scripts, files and links made to cost time: all are read, or cut and told, in bounded time."""

from __future__ import annotations

import base64
import time

import pytest

from tamis.filters.shared.link_hosts import subjects_of
from tamis.message.mail import LIMITS, Mail

_SIZE = 1_000_000


def _times(piece: str) -> str:
    return piece * (_SIZE // len(piece))


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _nested(depth: int) -> str:
    text = '<a href="http://a.example/">x</a>'
    for _ in range(depth):
        text = f'<iframe src="data:text/html;base64,{_b64(text)}"></iframe>'
    return text


TEXTS = {
    "links": _times('<a href="http://a.example/?u=http%3A%2F%2Fb.example">x</a>'),
    "unfinished links": _times('<a href="http://a.example'),
    "sources": _times('<img srcset="a 1x, b 2x, c">'),
    "styles": _times('<p style="background:url(http://a.example/)">'),
    "open styles": "<style>" + _times("url("),
    "style escapes": "<style>" + _times("\\68 "),
    "imports": "<style>" + _times('@import "'),
    "conditional comments": _times("<!--[if mso]>"),
    "whole conditional comments": _times('<!--[if mso]><a href="http://a.example/">x</a><![endif]-->'),
    "comments": _times("<!--"),
    "scripts": _times("<script>"),
    "whole scripts": _times("<script>'http://a.example/'</script>"),
    "script attributes": _times("<script a"),
    "documents": _times('<iframe srcdoc="<p>x">'),
    "documents in documents": _nested(12),
    "data": _times('<a href="data:text/html,x">'),
    "one long datum": f'<a href="data:text/html;base64,{_times("QUFB")}">',
    "handlers": _times("<p onclick=\"location='http://a.example/'\">"),
    "refresh": _times('<meta http-equiv=refresh content="0;url=http://a.example/">'),
    "schemes": _times('<a href="ms-word:ofe|u|http://a.example/">'),
    "javascript": _times("<a href=\"javascript:'http://a.example/'\">"),
    "drawings": _times("<svg>"),
    "whole drawings": _times("<svg></svg>"),
    "cells": _times("<td "),
    "coloured cells": _times("<td bgcolor=#000>"),
    "images": _times("<img "),
    "shadows": _times("box-shadow:"),
    "one shadow": "<p style='box-shadow:" + _times("1px 1px 0 #000,") + "'>",
    "hashes": _times("#" * 78 + "\n"),
    "hashes on one line": _times("# ") + "x",
    "blocks": "\u2588" * (_SIZE // 3),
    "script, base64": "<script>" + _times(f"'{_b64('http://a.example/' * 30)}',"),
    "script, base64 in base64": "<script>" + _times(f"'{_b64(_b64(_b64('http://a.example/')))}',"),
    "script, one string": "<script>'" + _times("QUJD"),
    "script, no base64": "<script>'" + _times("A"),
    "script, hexadecimal": "<script>'" + _times("68747470"),
    "script, character codes": "<script>" + _times("104,116,"),
    "script, escapes": "<script>'" + _times("\\x68"),
    "script, quotes": "<script>" + _times("'+'"),
    "script, quotes and blanks": "<script>" + _times("' " + " " * 98),
    "script, percent": "<script>" + _times("%25"),
    "script, entities": "<script>" + _times("&#104;"),
    "script, reversed": "<script>" + _times("/elpmaxe.a//:ptth "),
    "script, location": "<script>" + _times("location="),
    "bare hosts": _times("a.example/x "),
    "dots": _times("a."),
    "shares": _times("\\\\a.example\\"),
    "share labels": "\\\\" + _times("a."),
    "settings": _times("URL=http://a.example/\n"),
    "blanks before settings": _times(" " * 5000 + "URL="),
    "rtf": "{\\rtf1" + _times("{\\field{\\*\\fldinst HYPERLINK "),
    "rtf octets": "{\\rtf1" + _times("\\'68"),
    "invitation": "BEGIN:VCALENDAR\r\n" + _times("X:http://a.example/\r\n "),
    "card": "BEGIN:VCARD\r\nENCODING=QUOTED-PRINTABLE\r\n" + _times("=3D=\r\n"),
}


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_time_is_bounded(name: str, kind: str) -> None:
    """As the message's text, and as an attached page."""
    text = TEXTS[name].encode()
    header = b"From: a@b.example\r\nMIME-Version: 1.0\r\n"
    body = header + f"Content-Type: {kind}; charset=utf-8\r\n\r\n".encode() + text
    file = header + (
        b"Content-Type: multipart/mixed; boundary=BBB\r\n\r\n--BBB\r\n\r\nhello\r\n--BBB\r\n"
        b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.html\r\n\r\n"
    )
    for raw in (body, file + text + b"\r\n--BBB--\r\n"):
        mail = Mail(raw)
        begun = time.process_time()
        assert len(mail.urls) <= LIMITS.urls
        assert len(subjects_of(mail).names) <= LIMITS.hosts
        assert len(mail.drawings.found) <= 6
        assert time.process_time() - begun < 6
