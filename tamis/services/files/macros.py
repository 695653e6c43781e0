"""Macros and encryption in office files, by oletools, and in PDF, by PDFium. Runs in a helper process only."""

from __future__ import annotations

import io
import re

from tamis.message.file_names import Risk

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What a compound file begins with: the office files of 1997, MSI, encrypted new ones."""

_MSI = "000C1084-0000-0000-C000-000000000046"  # the class of a Windows installer package
_XLM_SHEET = re.compile(rb"xl/macrosheets/", re.IGNORECASE)
_XLM_AUTO = re.compile(rb"auto_?(?:open|close|activate)", re.IGNORECASE)
_ENCRYPTED = ("EncryptedPackage", "EncryptionInfo")


def document_risks(octets: bytes) -> set[Risk]:
    """Which macros an office file has, and whether it is encrypted; nothing on what is no office file."""
    import olefile  # noqa: PLC0415 # slow to load, and most messages need neither
    from oletools.olevba import VBA_Parser  # noqa: PLC0415

    risks: set[Risk] = set()
    if octets.startswith(OLE):
        try:
            with olefile.OleFileIO(io.BytesIO(octets)) as file:
                if any(file.exists(name) for name in _ENCRYPTED):
                    risks.add(Risk.ENCRYPTED_DOCUMENT)
                if str(file.root.clsid).upper() == _MSI:
                    risks.add(Risk.EXECUTABLE)
        except Exception:  # noqa: BLE001 - a broken compound file raises whatever its reader stumbled over
            return risks | {Risk.NOT_READ}
    try:
        parser = VBA_Parser("attachment", data=octets)
        try:
            if parser.detect_vba_macros():
                risks.add(Risk.MACRO)
                if any(found[0] == "AutoExec" for found in parser.analyze_macros()):
                    risks.add(Risk.MACRO_AUTO)
            if parser.detect_xlm_macros():
                risks |= {Risk.MACRO, Risk.MACRO_AUTO} if _XLM_AUTO.search(octets) else {Risk.MACRO}
        finally:
            parser.close()
    except Exception:  # noqa: BLE001 - as above: oletools raises what its own readers raise
        return risks
    if _XLM_SHEET.search(octets):  # the name of a member in a ZIP's directory is not packed
        risks.add(Risk.MACRO)
    return risks


_LAUNCH = re.compile(rb"/S\s{0,9}/Launch\b")  # ISO 32000-2 12.6.4.6


def pdf_risks(octets: bytes) -> set[Risk]:
    """Whether a PDF document asks for a password before it shows anything, or starts a program."""
    import pypdfium2  # noqa: PLC0415 # see above
    import pypdfium2.raw  # noqa: PLC0415

    try:
        pypdfium2.PdfDocument(octets).close()
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            return {Risk.ENCRYPTED_DOCUMENT}
    return {Risk.DDE} if _LAUNCH.search(octets) else set()
