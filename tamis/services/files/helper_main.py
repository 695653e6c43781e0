"""What a helper process runs (see helper.py): one job after the other, until nobody asks any more."""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import struct
import sys
from typing import Any, BinaryIO

JOBS = {
    "attachments": "tamis.services.files.unpacking:inspect_job",
    "reading": "tamis.services.files.reading:read_job",
    "ready": "tamis.services.files.helper_main:ready_job",
}
"""Job -> the function that does it: a request and its octets in, what JSON can hold out."""

_LENGTH = struct.Struct("!I")
_IDLE_SECONDS = 120
_NICENESS = 10  # workers go first: what many messages wait for must not wait for one message's files
_MAX_JOBS = 500  # then a fresh process: C libraries may leak on broken files


def main(memory: int) -> None:
    """Serve the pipe until it closes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries that print must not write into the answers
    for _ in range(_MAX_JOBS):
        if not select.select([requests], [], [], _IDLE_SECONDS)[0]:
            return
        head = requests.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        request: dict[str, Any] = json.loads(requests.read(_LENGTH.unpack(head)[0]))
        blobs = [requests.read(size) for size in request.pop("sizes")]
        _answer(replies, _do(request, blobs))


def ready_job(request: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
    """Whether a helper answers at all."""
    return {}


def _do(request: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
    module, name = JOBS[request.pop("job")].split(":")
    begun = _spent()
    try:
        answer = getattr(importlib.import_module(module), name)(request, blobs)
    except MemoryError:
        return {"failed": "out of memory"}
    except Exception as error:  # noqa: BLE001 - hostile files in many libraries: the next job must go on
        return {"failed": f"{type(error).__name__}: {error}"[:200]}
    assert isinstance(answer, dict)
    return answer | {"cpu_seconds": _spent() - begun}


def _spent() -> float:
    """Seconds of processor time of this process and of those that it started."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _answer(replies: BinaryIO, answer: dict[str, Any]) -> None:
    octets = json.dumps(answer).encode()
    replies.write(_LENGTH.pack(len(octets)) + octets)
    replies.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
