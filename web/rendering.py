"""Templates: one environment a language, everything escaped.

In a template `_("...")` is for sentences that stand there: Jinja takes what it says for safe HTML. Whatever comes in a
variable goes through `reader.gettext`, which is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tamis.judging.policy_settings import value_text
from tamis.language.display_text import named, plain
from tamis.language.translation import translations

HERE = Path(__file__).parent


class Templates:
    """The templates of web/templates, compiled once a process and language."""

    def render(self, name: str, language: str, values: Mapping[str, Any]) -> str:
        """A page in one of LANGUAGES, from a template and all that it names."""
        return _environment(language).get_template(name).render(values)


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
    environment.filters["policy_value"] = value_text
    environment.globals["named"] = named
    environment.filters["first_up"] = lambda text: text[:1].upper() + text[1:]
    return environment
