"""One installation: its paths, key, sockets, and the site that its processes load."""
