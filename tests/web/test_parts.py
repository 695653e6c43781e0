"""The pure parts of the pages: words, dates, previews, people; and IMAP's word for it."""

from __future__ import annotations

import re
import socket
import string
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import StoreError
from tamis.contract.filter import Effect
from tamis.judging.reasons import TOTAL, UNKNOWN, plain_reason
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.judging.verdict import SCORE
from tamis.language.display_text import named, plain, plain_lines
from tamis.message.envelope import parse_ip
from tamis.people.rights import BUNDLES, Grant, Right
from tamis.settings import SettingsFile, WebSettings
from tamis.web.page_reader import PageReader
from tamis.web.person import Person, is_served
from tamis.web.preview import MAX_ATTACHMENTS, formatted, preview
from tamis.web.signing_in import imap_accepts
from tests.builders import FILTERS
from tests.real.dovecot import PASSWORD, PrivateDovecot
from tests.real.support import free_port
from tests.web.samples import content

NOW = datetime(2026, 11, 22, 13, 2, tzinfo=UTC)


@given(st.text())
def test_a_line_is_a_line_and_can_do_nothing(text: str) -> None:
    shown = plain(text, 50)
    assert len(shown) <= 50
    assert not re.search(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown
    )
    assert plain(shown, 50) == shown
    assert "\r" not in plain_lines(text, 100)


def test_words_stay_what_they_are() -> None:
    assert (
        plain("Votre devis n\u00b0 1, d\u00e9j\u00e0  pay\u00e9")
        == "Votre devis n\u00b0 1, d\u00e9j\u00e0 pay\u00e9"
    )
    assert (
        plain("\u0928\u092e\u0938\u094d\u0924\u0947 \u05e9\u05dc\u05d5\u05dd")
        == "\u0928\u092e\u0938\u094d\u0924\u0947 \u05e9\u05dc\u05d5\u05dd"
    )
    assert plain("e" + "\u0301" * 50) == "e\u0301\u0301"
    assert plain_lines("a\r\nb\rc\n\td\x00", 100) == "a\nb\nc\n\td\ufffd"


@pytest.mark.parametrize(
    ("header", "sender", "shown"),
    [
        ("Garage Martin <c@g.example>", "x@y.example", ("Garage Martin", "c@g.example")),
        ("c@g.example", "x@y.example", ("", "c@g.example")),
        ("", "x@y.example", ("", "x@y.example")),
        ("nonsense", "x@y.example", ("nonsense", "x@y.example")),
        ('"marie@example.com" <evil@x.example>', "", ("marie@example.com", "evil@x.example")),
        ("", "", ("", "")),
    ],
)
def test_who_is_shown_as_sender(header: str, sender: str, shown: tuple[str, str]) -> None:
    assert named(header, sender) == shown


def test_dates_and_sizes_as_each_language_writes_them() -> None:
    english, french = PageReader("en", "Europe/Paris", NOW), PageReader("fr", "Europe/Paris", NOW)
    assert english.moment(NOW) == "22 November, 14:02"
    assert french.moment(NOW) == "22 novembre \u00e0 14:02"
    assert french.day(datetime(2027, 1, 1, tzinfo=UTC)) == "1 janvier 2027"
    assert (english.ago(NOW - timedelta(hours=2)), french.ago(NOW - timedelta(days=1))) == (
        "2 hr ago",
        "il y a 1\u00a0j",
    )
    assert english.ago(NOW + timedelta(hours=1)) == "just now"  # a clock that is ahead
    assert english.ago(NOW - timedelta(days=30)) == "23 October"
    assert [english.size(n) for n in (0, 999, 1536, 61 * 1024, 5 * 1024 * 1024)] == [
        "0\u00a0octets",
        "999\u00a0octets",
        "1.5\u00a0KB",
        "61\u00a0KB",
        "5\u00a0MB",
    ]
    assert french.size(1536) == "1,5\u00a0Ko"
    assert PageReader("en", "No/Where", NOW).moment(NOW) == "22 November, 13:02"


def test_what_a_readers_program_opens_with_is_shown() -> None:
    both = preview(content("plain words\n", html="<p>other words</p>"))
    assert (both.text, both.html) == ("other words", True)
    raw = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>O\xc2\xadne</p><p>tw\xe2\x80\x8bo</p>"
    raw += b"<p style='font-size:0'>three</p><style>.x{display:none}</style><b class=x>four</b>"
    assert preview(raw).text == "One\ntwo"
    assert preview(content("> said\n> before\nnow\n")).text == "> said\n> before\nnow"
    raw = b"Content-Type: text/html\r\n\r\n<p>only <b>HTML</b></p><script>x()</script>"
    assert (preview(raw).text, preview(raw).html) == ("only HTML", True)
    assert preview(b"").text == ""
    assert preview(b"\xff\x00\r\n\r\n\x00").attachments == ()


def test_attachments_are_listed_and_bounded() -> None:
    many = preview(
        content(files={f"{n}\u202egpj.exe\n{'x' * 300}": b"x" for n in range(MAX_ATTACHMENTS + 3)})
    )
    assert len(many.attachments) == MAX_ATTACHMENTS
    assert many.more_attachments == 3
    assert all(len(a.name) <= 120 and "\u202e" not in a.name and "\n" not in a.name for a in many.attachments)


def test_an_attachment_is_told_by_what_its_name_ends_in() -> None:
    names = {"offre.pdf": "PDF", "a.PDF.exe ": "EXE", "README": "", "x.très": "", "a." + "b" * 9: "", ".": ""}
    told = preview(content(files=dict.fromkeys(names, b"x"))).attachments
    assert [one.ending for one in told] == list(names.values())


@given(st.text(alphabet=string.printable + "\u00e9\u202e\x00", max_size=300))
def test_cleaned_html_holds_nothing_that_acts(source: str) -> None:
    raw = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source.encode()
    shown = formatted(raw)
    assert not re.search(
        r"<(?!/?[a-z0-9]+[ >])|<(script|style|iframe|img|form|svg|link|meta)|\son\w+=|\shref=|\ssrc=|url\(",
        shown,
    )


def test_what_style_hides_is_not_shown_formatted_either() -> None:
    page = "<style>.x{display:none}</style><p>One<b class=x>two</b><i style='font-size:0'>three</i><p hidden>four</p>"
    shown = formatted(b"Content-Type: text/html\r\n\r\n" + page.encode())
    assert "One" in shown
    assert not re.search("two|three|four", shown)


def test_styles_are_kept_as_far_as_they_only_colour() -> None:
    raw = (
        b"Content-Type: text/html\r\n\r\n<p style='color: red; position: fixed; background: url(http://e.example/x);"
        b" background-image: url(x); font-weight: bold'>Hi <a href='http://e.example'>there</a></p>"
    )
    assert formatted(raw) == '<p style="color:red;font-weight:bold">Hi <a>there</a></p>'


def site(**web: object) -> Site:
    file = SettingsFile(None, '[platform]\ndomains = ["example.com"]\n')
    settings = file.settings.model_copy(update={"web": WebSettings.model_validate(web)})
    file.settings = settings
    file.layers = {"platform": {}, "closed@example.com": {"locked": True}}
    return Site.build(file, FILTERS, Snapshot())


def test_who_may_open_what() -> None:
    admins = {"Admin@Example.com": ["example.com"], "root@example.com": ["platform"]}
    here = site(administrators=admins)
    marie, admin, root = (
        Person.of(a, here) for a in ("marie+x@example.com", "ADMIN@example.com", "root@example.com")
    )
    assert (marie.address, marie.is_administrator, admin.is_administrator) == (
        "marie@example.com",
        False,
        True,
    )
    helper = Person.of("paul@example.com", here, [Grant("example.com", BUNDLES["helper"])])
    owner = Person.of("closed@example.com", here)
    for person, right, mailbox, open_ in (
        (marie, Right.CONTENT, "marie@example.com", True),
        (marie, Right.HELD, "paul@example.com", False),
        (admin, Right.CONTENT, "marie@example.com", True),
        (admin, Right.HELD, "closed@example.com", False),
        (admin, Right.HELD, "x@example.org", False),
        (root, Right.CONTENT, "x@example.org", True),
        (helper, Right.HELD, "marie@example.com", True),
        (helper, Right.CONTENT, "marie@example.com", False),
        (helper, Right.HELD, "closed@example.com", False),
        (owner, Right.CONTENT, "closed@example.com", True),
        (Person.at_home("admin@example.com", here), Right.HELD, "marie@example.com", False),
    ):
        assert person.may(right, mailbox, here) is open_, (person, right, mailbox)


def test_whose_mailboxes_are_here() -> None:
    here = site()
    assert is_served("marie@example.com", here)
    for address in ("marie@example.org", "marie", "", "@example.org", "marie@localhost"):
        assert not is_served(address, here)


def test_every_filter_that_can_decide_has_a_reason_in_plain_words() -> None:
    for one in FILTERS:
        sentence = plain_reason(one.name, FILTERS)
        assert sentence == (one.plain_reason or UNKNOWN)
        assert (sentence != UNKNOWN) is (one.effect not in (Effect.ACCEPT, Effect.TAG)), one.name
        assert sentence[0].islower() or sentence.startswith("SpamAssassin")
        assert not sentence.endswith(".")
    assert plain_reason(SCORE, FILTERS) == TOTAL
    assert plain_reason("gone", FILTERS) == UNKNOWN


@pytest.mark.real
def test_the_imap_server_says_who_may_sign_in() -> None:
    with PrivateDovecot(tls=True) as dovecot:
        url = f"imaps://127.0.0.1:{dovecot.imaps_port}"
        trusted = WebSettings(imap=url, imap_ca=str(dovecot.certificate))
        starttls = WebSettings(imap=f"imap://127.0.0.1:{dovecot.imap_port}", imap_ca=str(dovecot.certificate))
        assert imap_accepts(trusted, "marie@example.com", PASSWORD)
        assert imap_accepts(starttls, "marie@example.com", PASSWORD)
        with pytest.raises(StoreError, match="certificate"):  # a stranger's server is told no password
            imap_accepts(WebSettings(imap=url), "marie@example.com", PASSWORD)
        for wrong in ("", PASSWORD + "\0", "y" * 10_000, "wrong", "x\r\nA1 LOGOUT"):
            assert not imap_accepts(trusted, "marie@example.com", wrong)
    with pytest.raises(StoreError):
        imap_accepts(WebSettings(imap=f"imaps://127.0.0.1:{free_port()}"), "marie@example.com", PASSWORD)


@pytest.mark.real
def test_wrong_passwords_are_held_against_the_client_that_dovecot_is_told_of() -> None:
    """As docs/pages.md has it: where it trusts this host, which must not be slowed down for everybody."""
    guesser, other = parse_ip("198.51.100.7"), parse_ip("203.0.113.9")
    for lines, held_against in (
        ("login_trusted_networks = 127.0.0.0/8\n", "198.51.100.7"),
        ("", "127.0.0.1"),
    ):
        with PrivateDovecot(tls=True, lines=lines) as dovecot:
            url = f"imaps://127.0.0.1:{dovecot.imaps_port}"
            settings = WebSettings(imap=url, imap_ca=str(dovecot.certificate))
            assert not imap_accepts(settings, "marie@example.com", "wrong", guesser)
            told = subprocess.run([*dovecot.doveadm, "penalty"], capture_output=True, text=True, check=True)
            assert [line.split()[:2] for line in told.stdout.splitlines()[1:]] == [[held_against, "1"]]
            assert imap_accepts(settings, "marie@example.com", PASSWORD, other)


def test_an_imap_server_that_never_comes_to_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps saying something, so that no read of its own takes long."""
    monkeypatch.setattr("tamis.web.signing_in._IMAP_SECONDS", 0.5)
    gone = threading.Event()

    def talk(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            while not gone.wait(0.05):
                connection.sendall(b"*")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=talk, args=(listening,))
        talking.start()
        settings = WebSettings(imap=f"imap://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(StoreError, match=r"no answer within 0\.5 s"):
            imap_accepts(settings, "marie@example.com", PASSWORD)
        gone.set()
        talking.join()
