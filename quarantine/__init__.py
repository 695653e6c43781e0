"""Held mail: what is stored of it, its content, and its end."""
