"""Scanners reached over sockets: clamd and spamd."""
