"""The golden cases' messages with attachments (see tricky.py)."""

from __future__ import annotations

from tests.attachments import PDF, PROGRAM, archive, blank_png, letter, nested

_IMAGE = blank_png(160, 120) + bytes(100)  # a little more than the least that is read

ATTACHED: dict[str, bytes] = {
    "207-attachment-types-double-extension": letter({"invoice.pdf.exe": PROGRAM}),
    "208-attachment-types-clear": letter({"invoice.pdf": PDF}, kind="application/pdf"),
    "209-attachment-types-encrypted": letter({"papers.zip": archive({"a.txt": b"secret"}, encrypted=True)}),
    "210-attachment-types-nested-program": letter({"papers.zip": nested(3, {"tool.exe": PROGRAM})}),
    "211-attachment-fingerprints-in-archive": letter({"papers.zip": archive({"note.txt": b"bad\n"})}),
    "212-attachment-fingerprints-white-nearer": letter({"note.txt": b"bad\n"}),
    "214-image-text-unavailable": letter({"b.png": _IMAGE}, kind="image/png", number=2),
    "230-image-text-qr-code": letter({"d.png": _IMAGE}, kind="image/png", number=230),
    "231-image-text-lookalike-code": letter({"e.png": _IMAGE}, kind="image/png", number=231),
    "232-image-text-queue-full": letter({"f.png": _IMAGE}, kind="image/png", number=232),
    "233-image-text-url-rule": letter({"g.png": _IMAGE}, kind="image/png", number=233),
    "237-image-text-known-while-queue-full": letter({"h.png": _IMAGE}, kind="image/png", number=237),
    "234-document-link": letter({"letter.pdf": PDF}, kind="application/pdf", number=234),
    "235-document-text": letter({"letter.pdf": PDF}, kind="application/pdf", number=235),
}
