"""A message as it came: the envelope, addresses and domains, and below mail/ the content. Pure, and bounded."""
