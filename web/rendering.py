"""Templates: one environment a language, everything escaped.

In a template `_("...")` is for sentences that stand there: Jinja takes what it says for safe HTML. Whatever comes in a
variable goes through `reader.gettext`, which is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tamis.language.display_text import named, plain
from tamis.language.translation import translations

if TYPE_CHECKING:
    from tamis.web.visit import Visit

HERE = Path(__file__).parent


class Templates:
    """The templates of web/templates, compiled once a process and language."""

    def render(self, name: str, visit: Visit, values: Mapping[str, Any]) -> str:
        """A page; `visit`, `reader` and `path` are known to every template."""
        environment = _environment(visit.reader.language)
        shown = {"visit": visit, "reader": visit.reader, "path": visit.path, **values}
        return environment.get_template(name).render(shown)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    told = translations(language)
    environment.install_gettext_callables(told.gettext, told.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["plain"] = plain
    environment.globals["named"] = named
    environment.filters["first_up"] = lambda text: text[:1].upper() + text[1:]
    return environment
