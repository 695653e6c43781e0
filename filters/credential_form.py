"""S31f: a form that asks for a password, in mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.contract.filter import Effect, Filter, Message
from tamis.contract.finding import Finding
from tamis.language.translation import marked
from tamis.message.mail.sampling import sampled
from tamis.message.mail.urls import host_of

_PASSWORD = re.compile(r"<input\b[^>]{0,500}?\btype\s{0,9}=\s{0,9}[\"']?\s{0,9}password", re.IGNORECASE)
_ACTION = re.compile(
    r"<form\b[^>]{0,1000}?\baction\s{0,9}=\s{0,9}[\"']?\s{0,9}(?:https?:)?//([^\s\"'>]{1,500})", re.IGNORECASE
)
_CHARACTERS = 262_144  # characters of one page's source that are searched; beyond: not searched
_MAX_ATTACHED = 5  # attached pages that are searched; beyond: by lot
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
            if "password" not in source.lower() or not _PASSWORD.search(source):
                continue
            hosts = sorted({host_of(found[1]) for found in _ACTION.finditer(source)} - {""})[:_MAX_HOSTS]
            posts = f", posts to {', '.join(hosts)}" if hosts else ""
            return self.hit("password field in {where}{posts}", where=where, posts=posts, hosts=hosts)
        return self.clear("no password field")

    @staticmethod
    def _sources(message: Message) -> Iterator[tuple[str, str]]:
        for html in message.mail.html:
            yield "the message", html.source[:_CHARACTERS]
        attached = [
            part
            for part in message.mail.attachments
            if part.content_type == "text/html"
            or (part.filename or "").lower().endswith((".html", ".htm", ".shtml"))
        ]
        for part in sampled(attached, _MAX_ATTACHED, message.mail.chance("forms")):
            text = part.text or part.payload[:_CHARACTERS].decode("utf-8", "replace")
            yield (part.filename or "an attachment")[:100], text[:_CHARACTERS]
