"""What Tamis uses of google-re2."""

from typing import Self

class error(Exception): ...

class Options:
    class Encoding:
        UTF8: Options.Encoding
        LATIN1: Options.Encoding
    max_mem: int
    log_errors: bool
    case_sensitive: bool
    encoding: Encoding

class Match:
    def group(self, number: int = 0) -> bytes: ...

class Pattern:
    def search(self, text: bytes) -> Match | None: ...

def compile(pattern: bytes, options: Options | None = None) -> Pattern: ...

class Set:
    @classmethod
    def SearchSet(cls, options: Options | None = None) -> Self: ...
    def Add(self, pattern: bytes) -> int: ...
    def Compile(self) -> None: ...
    def Match(self, text: bytes) -> list[int] | None: ...
