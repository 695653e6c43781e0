"""The durable store: quarantined mail, lists, policy overrides, desk notes.

This file imports nothing, so that a worker that only reads the snapshot (`snapshot.py`) loads no database code.
"""
