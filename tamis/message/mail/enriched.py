"""text/enriched (RFC 1896) and its forerunner text/richtext (RFC 1341 7.1.3), as markup that browsers show alike."""

from __future__ import annotations

import re

ENRICHED = frozenset({"text/enriched", "text/richtext"})
"""Their media types."""

_PARAM = re.compile(r"<param>[^<]{0,2000}</param>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:nl|np|paragraph|para)>", re.IGNORECASE)


def enriched_markup(source: str) -> str:
    """Its commands stay tags, which a browser does not know and so does not show; "<<" and "<lt>" are the sign."""
    source = source.replace("<<", "&lt;").replace("<lt>", "&lt;").replace("<LT>", "&lt;")
    return _BREAK.sub("<br>", _PARAM.sub("", source))
