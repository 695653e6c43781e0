"""The resolver: wire format, servers, cache."""
