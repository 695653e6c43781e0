"""What was read in a message's images and documents, which takes more than its octets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tamis.message.mail.defects import DefectKind
from tamis.message.mail.urls import Url


@dataclass(frozen=True, slots=True)
class Seen:
    """Text by OCR and of documents; the URLs of QR codes, of documents' links, and in that text. `cuts`: where a bound
    left something out."""

    text: str = ""
    urls: tuple[Url, ...] = ()
    cuts: frozenset[DefectKind] = frozenset()

    def joined(self, urls: Iterable[Url], cuts: Iterable[DefectKind] = ()) -> Seen:
        """With further URLs, each once, and what further was not looked at."""
        return Seen(self.text, tuple(dict.fromkeys((*self.urls, *urls))), self.cuts.union(cuts))

    def __bool__(self) -> bool:
        return bool(self.text or self.urls or self.cuts)


NOTHING_SEEN = Seen()
"""What is known before somebody has read the images and documents."""
