"""Asking the sender of a held message to confirm it: whether, how, and what a correct answer releases."""
