"""Tamis: the spam-filtering pipeline behind Postfix."""

__version__ = "0.2.0"
