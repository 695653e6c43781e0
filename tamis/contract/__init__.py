"""What filters and the chain agree on: Filter, Finding, what may be asked. Other packages import tamis.filter."""
