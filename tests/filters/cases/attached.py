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
    "232-image-text-queue-full": letter({"f.png": _IMAGE}, kind="image/png", number=232),
    "237-image-text-known-while-queue-full": letter({"h.png": _IMAGE}, kind="image/png", number=237),
}
