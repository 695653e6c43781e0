"""What every room stands on: errors, log lines, signed tokens, breakers. Knows nothing of mail."""
