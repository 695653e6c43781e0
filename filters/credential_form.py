"""S31f: a form that asks for a password, in mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.contract.filter import Effect, Filter, Message
from tamis.contract.finding import Finding
from tamis.language.translation import marked
from tamis.message.chosen_files import chosen
from tamis.message.mail.urls import host_of

_TAG = re.compile(r"<(?:input|form)\b[^>]*+", re.IGNORECASE)
_PASSWORD = re.compile(r"^<input\b.*\btype\s*=\s*[\"']?\s*password", re.IGNORECASE | re.DOTALL)
_ACTION = re.compile(
    r"^<form\b.*\baction\s*=\s*[\"']?\s*(?:https?:)?//([^\s\"'>]{1,500})", re.IGNORECASE | re.DOTALL
)
_TAG_CHARACTERS = 8192  # of one tag; beyond: not looked at: no form is written so
_MAX_HOSTS = 10


class CredentialForm(Filter):
    """Adds points when a message, or an HTML file attached to it, has a form with a password field.

    Legitimate services send a link to their own page; a form in a mail sends what is typed to whoever wrote it.
    """

    name = "credential_form"
    spec_id = "S31f"
    summary = "form that asks for a password"
    plain_reason = marked("it asks for a password")
    effect = Effect.SCORE

    def examine(self, message: Message) -> Finding:
        """Where such a form is, and where it posts to."""
        for where, source in self._sources(message):
            if "password" not in source.lower():
                continue
            tags = [found[0][:_TAG_CHARACTERS] for found in _TAG.finditer(source)]
            if not any(map(_PASSWORD.search, tags)):
                continue
            actions = filter(None, map(_ACTION.search, tags))
            hosts = sorted({host_of(found[1]) for found in actions} - {""})[:_MAX_HOSTS]
            posts = f", posts to {', '.join(hosts)}" if hosts else ""
            return self.hit("password field in {where}{posts}", where=where, posts=posts, hosts=hosts)
        return self.clear("no password field")

    @staticmethod
    def _sources(message: Message) -> Iterator[tuple[str, str]]:
        for html in message.mail.html:
            yield "the message", html.source
        attached = [
            part
            for part in chosen(message.mail, message.mail.limits.files)
            if part.content_type == "text/html"
            or (part.filename or "").lower().endswith((".html", ".htm", ".shtml"))
        ]
        for part in attached:
            text = part.text or part.payload.decode("utf-8", "replace")
            yield (part.filename or "an attachment")[:100], text
