"""What is in a message's attachments: looked at in a helper process (tamis.contract.service_protocols.Attachments)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tamis.base.breaker import Breakers
from tamis.base.errors import ServiceError
from tamis.services.files.helper import HelperPool
from tamis.services.runner import elsewhere

SECONDS = 8.0
"""Seconds that the look at one message's attachments may take. Beyond: the filter is unavailable."""

_POOL = HelperPool("attachment", processes=2, waiting=16, memory=768 * 1024 * 1024)

Found = Sequence[Mapping[str, Any]]


class AttachmentLooker:
    """What looks into attachments, for one process."""

    def __init__(self, breakers: Breakers | None = None) -> None:
        self._breakers = breakers

    def ask(
        self, files: Sequence[tuple[str, bool, bytes]], take: Callable[[Found | Exception], None]
    ) -> None:
        """See tamis.contract.service_protocols.Attachments."""
        try:
            elsewhere("attachments", partial(inspect, files, self._breakers), take)
        except ServiceError as error:
            take(error)


def inspect(files: Sequence[tuple[str, bool, bytes]], breakers: Breakers | None = None) -> Found:
    """Every file and, within bounds, every member of an archive. Blocks; raises ServiceError."""
    if not files:
        return ()
    request = {"files": [[name, whole] for name, whole, _ in files]}
    blobs = [octets for _, _, octets in files]
    answer = _POOL.call("attachments", request, blobs, seconds=SECONDS, breakers=breakers)
    found: Found = answer["objects"]
    return found
