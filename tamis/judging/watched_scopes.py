"""Scopes that tell whether anybody looked: what nobody looked for can't depend on who the recipient is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload


class WatchedScopes(Sequence[str]):
    """Scopes that remember whether anybody looked."""

    def __init__(self, scopes: Sequence[str]) -> None:
        self._scopes = scopes
        self.looked = False

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        self.looked = True
        return self._scopes[index]

    def __len__(self) -> int:
        self.looked = True
        return len(self._scopes)

    def __iter__(self) -> Iterator[str]:
        self.looked = True
        return iter(self._scopes)

    def __contains__(self, scope: object) -> bool:
        self.looked = True
        return scope in self._scopes
