"""Mails of our own to recipients: digests and quota notices. Pure but for the record of what was sent."""
