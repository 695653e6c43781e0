"""A message and what follows from it: ``Mail``. It never raises on hostile input; it reports defects."""

from tamis.mail.addresses import Address
from tamis.mail.defects import ATTRIBUTION, Attribution, Defect, DefectKind
from tamis.mail.headers import Field, Headers
from tamis.mail.html import Html, Link
from tamis.mail.limits import LIMITS, Limits
from tamis.mail.mail import Mail
from tamis.mail.mime import Container, Part
from tamis.mail.scripts import Scripts
from tamis.mail.seen import Seen
from tamis.mail.urls import Url

__all__ = [
    "ATTRIBUTION",
    "LIMITS",
    "Address",
    "Attribution",
    "Container",
    "Defect",
    "DefectKind",
    "Field",
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
