"""From as people are shown it and as it is remembered: decoded, and naming nobody but whom the field names."""

from __future__ import annotations

from tamis.language.shown_mailbox import shown_mailbox
from tamis.message.mail.headers import Headers


def shown_from(headers: Headers) -> str:
    """The first From, decoded; "" without one.

    Encoded words are a name's and no syntax (RFC 2047 5): where a decoded one would read as an address, or end the
    name, the name is put in quotes, so that whoever reads the result later finds the address that the field has.
    """
    field = next(iter(headers.fields_of("from")), None)
    if field is None:
        return ""
    _, address = shown_mailbox(field.unfolded)
    if "@" not in address or shown_mailbox(field.value)[1] == address:
        return field.value
    name = field.value.replace(f"<{address}>", "").strip().replace("\\", r"\\").replace('"', r"\"")
    return f'"{name}" <{address}>'
