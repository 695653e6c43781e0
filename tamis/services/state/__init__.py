"""The shared state: an embedded SQLite file, or Redis."""
