"""Postfix as its own tools show it: listeners and their settings, lookup tables, where aliases lead."""
