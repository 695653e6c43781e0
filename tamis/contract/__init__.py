"""What filters and the chain agree on: Filter, Finding, services. Other packages import tamis.filter."""
