"""What no message waits for: notices, digests, clean-up, learning, lists from outside, metrics."""
