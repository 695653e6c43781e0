"""Numbers of a message: the times that mail programs write into their Message-ID and boundary."""

from __future__ import annotations

import pytest

from tamis.message.mail import Mail
from tamis.rules.message_measures import MEASURES

DAY = "Date: Mon, 2 Mar 2026 10:00:00 +0100\n"


def measured(name: str, header: str) -> float:
    return MEASURES[name](Mail(f"From: Paul <paul@example.org>\n{header}\nHello.\n".encode()))


@pytest.mark.parametrize(
    ("header", "hours"),
    [
        (f"{DAY}Message-ID: <69A552D0.1020304@example.org>\n", 0),  # Mozilla: seconds
        (f"{DAY}Message-ID: <69A53EB0.1020304@example.org>\n", 1.4),
        (f"{DAY}Message-ID: <000a01dcaa22$00000000$0100a8c0@paul>\n", 0.1),  # Outlook: FILETIME
        (f"{DAY}Message-ID: <000a01c7b5f0$8a3b4c20$0100a8c0@paul>\n", 163_000),
        (
            f'{DAY}Content-Type: multipart/mixed; boundary="----=_NextPart_000_0012_01C7B5F0.8A3B4C20"\n',
            163_000,
        ),
        (f"{DAY}Message-ID: <20260302090000.1234@example.org>\n", 0),
        ("Message-ID: <69A552D0.1020304@example.org>\n", 0),
        (DAY, 0),
    ],
)
def test_stamps_are_held_against_the_date(header: str, hours: float) -> None:
    assert measured("stamp_hours_off", header) == pytest.approx(hours, rel=0.05, abs=0.6)


@pytest.mark.parametrize(
    ("mailer", "mimeole", "differs"),
    [
        ("6.00.2900.2180", "6.00.2900.2180", 0),
        ("6.00.2900.2180", "5.50.4133.2400", 1),
        ("", "5.50.4133.2400", 0),
    ],
)
def test_outlook_express_and_its_mimeole_are_of_one_version(
    mailer: str, mimeole: str, differs: float
) -> None:
    header = f"X-MimeOLE: Produced By Microsoft MimeOLE V{mimeole}\n"
    if mailer:
        header += f"X-Mailer: Microsoft Outlook Express {mailer}\n"
    assert measured("mimeole_differs", header) == differs
