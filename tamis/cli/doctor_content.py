"""The part of `tamis doctor` that looks at scanners, spamd, OCR and the abuse mailbox; mail flows without them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.background.abuse_mailbox import waiting_in
from tamis.base.errors import ServiceError, TamisError
from tamis.services.files import disk_images
from tamis.services.files.images import installed_languages
from tamis.services.scanners.clamd import Engines
from tamis.services.scanners.spamd import Spamd
from tamis.settings import Settings

_TEST_VIRUS = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!", "$H+H*")
"""In pieces, so that no scanner takes this file for one."""

_LETTER = b"From: doctor@example.com\r\nSubject: test\r\n\r\nA test of tamis doctor.\r\n"


@dataclass(frozen=True, slots=True)
class ServiceLook:
    """One service: what was found, and what to do about it ("" when nothing)."""

    check: str
    found: str
    mend: str = ""


def content_services(settings: Settings) -> Iterator[ServiceLook]:
    """A look at each service that is set up."""
    for engine in settings.antivirus.engines:
        check = f"antivirus {engine.name}"
        try:
            virus = asyncio.run(Engines(settings.antivirus, [engine]).scan("".join(_TEST_VIRUS).encode(), []))
        except ServiceError as error:
            yield ServiceLook(
                check, str(error), f"start clamd, and let the daemon's user reach {engine.socket}"
            )
            continue
        if virus is None:
            yield ServiceLook(
                check, "answers, but does not know the test virus", "give clamd its signature base"
            )
        else:
            yield ServiceLook(check, f"finds the test virus ({virus.signature})")
    if settings.spamassassin.socket:
        try:
            asyncio.run(Spamd(settings.spamassassin).score(_LETTER))
        except ServiceError as error:
            yield ServiceLook("spamassassin", str(error), f"start spamd on {settings.spamassassin.socket}")
        else:
            yield ServiceLook("spamassassin", "answers")
    if settings.abuse_mailbox.host:
        try:
            number = waiting_in(settings.abuse_mailbox)
        except TamisError as error:
            yield ServiceLook("abuse mailbox", str(error), "see [abuse_mailbox] in the settings")
        else:
            told = f"answers, {number} messages wait"
            file = Path(settings.abuse_mailbox.password_file)
            if file.stat().st_mode & 0o077:
                yield ServiceLook(
                    "abuse mailbox", f"{told}; others can read its password", f"chmod 600 {file}"
                )
            else:
                yield ServiceLook("abuse mailbox", told)
    if settings.images.ocr:
        yield _ocr(settings.images.languages)
    yield _disk_images()


def _disk_images() -> ServiceLook:
    """Whether attached disk images and rare archives can be looked into."""
    program = disk_images.program()
    if program is None:
        return ServiceLook(
            "disk images",
            f"7-Zip ({' or '.join(disk_images.PROGRAMS)}) is not installed: what is in attached disk images (iso with "
            "UDF, vhd, vhdx, vmdk, wim, dmg) and in ARJ and RPM archives is not seen; attachment_types tells each as "
            "not_read",
            "apt install 7zip",
        )
    return ServiceLook("disk images", f"{program} reads them")


def _ocr(wanted: Sequence[str]) -> ServiceLook:
    """What OCR can read here."""
    program = shutil.which("tesseract")
    package = " ".join(f"tesseract-ocr-{one.replace('_', '-')}" for one in wanted[:2])
    mend = f"apt install tesseract-ocr {package}; or images.ocr = false, if it is not wanted"
    if program is None:
        return ServiceLook(
            "ocr", "tesseract is not installed: no text in images and scanned pages is read", mend
        )
    try:
        installed = installed_languages()
    except ServiceError as error:
        return ServiceLook("ocr", str(error), mend)
    there = [one for one in wanted if one in installed]
    if not there:
        return ServiceLook("ocr", f"{program} has none of images.languages: no text in images is read", mend)
    absent = ", ".join(one for one in wanted if one not in installed)
    return ServiceLook(
        "ocr", f"{program} reads {', '.join(there)}" + (f"; not installed: {absent}" if absent else "")
    )
