"""What a bound cuts off is said, may weigh, and nobody who writes a message knows what it will be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tamis.filters.image_text import documents_of, images_of
from tamis.filters.malformed import Malformed
from tamis.message.chosen_files import chosen
from tamis.message.mail import Mail, sampling
from tamis.message.mail.redirects import MOST_TARGETS, led_to
from tamis.rules.places import MAX_OCTETS, octets
from tests.attachments import letter
from tests.builders import message

HEADER = b"From: a@example.net\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
HTML = HEADER + b"Content-Type: text/html\r\n\r\n"
TEXT = HEADER + b"Content-Type: text/plain\r\n\r\n"
LINE = b"Nothing to see in this line of a long letter.\r\n"


def stands(words: bytes, mail: Mail, place: str) -> bool:
    """Whether rules see the words there."""
    return any(words in one for one in octets(mail, place))


def with_keys(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object]) -> list[object]:
    """What is said in 60 processes."""
    found = []
    for key in range(60):
        monkeypatch.setattr(sampling, "_KEY", bytes([key]))
        found.append(ask())
    return found


@pytest.mark.parametrize(
    ("raw", "kind", "points"),
    [
        (letter({f"{n}.pdf": b"%PDF-1.4" for n in range(101)}), "too_many_files", 0.5),
        (
            HTML + b"".join(b'<a href="http://h%d.example/">x</a>' % n for n in range(41)),
            "too_many_hosts",
            0.0,
        ),
        (TEXT + LINE * 3000, "long_text", 0.0),
        (b"".join(b"X-Long: " + b"x " * 30_000 + b"\r\n" for _ in range(3)) + TEXT, "long_header", 0.5),
        (letter({f"{n}.txt": b"x" for n in range(600)}), "too_many_parts", 1.0),
        (
            HTML
            + b'<a href="http://a.example/?'
            + b"&".join(b"u=http://h%d.example/" % n for n in range(40))
            + b'">x',
            "too_many_targets",
            0.5,
        ),
        (TEXT + b"word " * 250_000, "text_truncated", 0.5),
    ],
    ids=["files", "hosts", "text", "header", "parts", "targets", "characters"],
)
def test_what_is_cut_is_a_defect_that_can_weigh(raw: bytes, kind: str, points: float) -> None:
    one = Malformed()
    finding = one.examine(message(raw))
    assert kind in finding.facts["kinds"]
    options = one.options.model_validate({"effect": one.effect})
    assert one.judge(finding, options, ()).points >= points
    assert one.judge(finding, options.model_copy(update={"points": {kind: 4.0}}), ()).points >= 4.0
    assert stands(kind.encode(), Mail(raw), "defects")


def test_the_first_defect_of_a_kind_always_has_room() -> None:
    """Two hundred defects of the sender's own would else hide what a bound cut off."""
    parts = b"".join(b"--b\r\nContent-Type: text/plain; charset=none-%d\r\n\r\nx\r\n" % n for n in range(300))
    raw = HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts + b"--b--\r\n"
    links = b" ".join(b"http://h%d.example/" % n for n in range(50))
    kinds = {
        defect.kind.value
        for defect in Mail(raw.replace(b"\r\n\r\nx\r\n", b"\r\n\r\n" + links + b"\r\n", 1)).defects
    }
    assert {"unknown_charset", "too_many_hosts"} <= kinds


def test_no_place_of_a_long_text_is_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    for at in (0, 2000, 2500, 3000, 3999):
        lines = [LINE] * 4000
        lines[at] = b"Buy it now\r\n"
        raw = TEXT + b"".join(lines)
        found = with_keys(monkeypatch, lambda raw=raw: stands(b"Buy it now", Mail(raw), "text"))  # type: ignore[misc]
        assert any(found), at
        assert all(found) is (at in (0, 3999)), at
    assert all(len(one) <= MAX_OCTETS for place in ("text", "raw") for one in octets(Mail(raw), place))


def test_dangerous_names_are_looked_into_first_and_the_others_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    files = (
        {f"{n}.txt": b"x" for n in range(150)} | {"run.exe": b"MZ"} | {f"z{n}.txt": b"y" for n in range(150)}
    )
    mail = Mail(letter(files))

    def names() -> frozenset[str | None]:
        return frozenset(part.filename for part in chosen(mail, 100))

    found = with_keys(monkeypatch, names)
    assert all(isinstance(one, frozenset) and len(one) == 100 and "run.exe" in one for one in found)
    assert len(set(found)) > 50
    assert len({name for one in found if isinstance(one, frozenset) for name in one}) == len(files)


def test_addresses_within_a_link_are_chosen_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    link = "http://a.example/?" + "&".join(f"u=http://h{n}.example/" for n in range(40))

    def targets() -> tuple[str, ...]:
        return led_to(link)

    found = with_keys(monkeypatch, targets)
    assert all(isinstance(one, tuple) and len(one) == MOST_TARGETS for one in found)
    assert len({target for one in found if isinstance(one, tuple) for target in one}) >= 40


def test_images_and_documents_are_chosen_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    def picture(n: int) -> bytes:
        return b"\x89PNG\r\n\x1a\n" + b"%03d" % n + bytes(100 + n)

    images = Mail(letter({f"{n}.png": picture(n) for n in range(12)}, kind="image/png"))
    documents = Mail(letter({f"{n}.pdf": b"%%PDF-1.4 %d" % n for n in range(12)}, kind="application/pdf"))
    seen = with_keys(monkeypatch, lambda: tuple(images_of(images)))
    assert all(
        isinstance(one, tuple) and len(one) == 4 and {picture(11), picture(10)} <= set(one) for one in seen
    )
    assert len({image for one in seen if isinstance(one, tuple) for image in one}) == 12
    read = with_keys(monkeypatch, lambda: tuple(documents_of(documents)))
    assert len({one for found in read if isinstance(found, tuple) for one in found}) == 12
