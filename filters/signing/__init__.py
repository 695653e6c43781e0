"""Who vouches for a message: SPF, DKIM, ARC and DMARC, worked out once for the filters that ask."""
