"""The filters of the chain, one file a filter."""
