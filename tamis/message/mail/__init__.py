"""A message and what follows from it: ``Mail``. It never raises on hostile input; it reports defects."""

from tamis.message.mail.defects import ATTRIBUTION, Attribution, Defect, DefectKind
from tamis.message.mail.headers import HeaderField, Headers
from tamis.message.mail.html import Html
from tamis.message.mail.limits import LIMITS, Limits
from tamis.message.mail.mail import Mail
from tamis.message.mail.mailboxes import Address
from tamis.message.mail.mime import Container
from tamis.message.mail.part import Part
from tamis.message.mail.references import Link
from tamis.message.mail.scripts import Scripts
from tamis.message.mail.seen import Seen
from tamis.message.mail.urls import Url

__all__ = [
    "ATTRIBUTION",
    "LIMITS",
    "Address",
    "Attribution",
    "Container",
    "Defect",
    "DefectKind",
    "HeaderField",
    "Headers",
    "Html",
    "Limits",
    "Link",
    "Mail",
    "Part",
    "Scripts",
    "Seen",
    "Url",
]
