"""Asking the sender of a held message to confirm it: whether, how, and what an answer sets free."""
