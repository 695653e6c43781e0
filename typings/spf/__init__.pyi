from collections.abc import Callable
from typing import Any

DNSLookup: Callable[..., list[tuple[tuple[str, str], Any]]]

class query:  # noqa: N801
    prob: str
    def __init__(
        self, i: str, s: str, h: str, *, timeout: float = ..., querytime: float = ...
    ) -> None: ...
    def check(self) -> tuple[str, int, str]: ...
