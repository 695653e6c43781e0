"""The API, /api/v1: what the console and the commands do, for programs."""
