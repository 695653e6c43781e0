"""Which of a message's attachments are looked into where there is no time for all."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.message.file_names import name_risks
from tamis.message.mail import Mail, Part
from tamis.message.mail.sampling import sampled


def chosen(mail: Mail, most: int) -> Sequence[Part]:
    """At most so many: those with a dangerous name before others, which are drawn by lot."""
    if len(mail.attachments) <= most:
        return mail.attachments
    return sampled(mail.attachments, most, mail.chance("files"), sure=1, weight=_likelihood)


def _likelihood(part: Part) -> float:
    return 1000.0 if name_risks(part.filename or "", "") else 1.0
