"""The chain: its registry, its runner, and one file a filter."""
