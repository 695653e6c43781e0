"""What filters may ask, behind the contract: DNS, shared state, scanners, helpers for hostile files."""
