"""People and what they may do: rights, and what proves who somebody is."""
