"""What every room is built on: errors, logging, signed tokens, breakers. Knows nothing about mail."""
