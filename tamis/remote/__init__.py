"""A Tamis on another machine, by its API: what `tamis --url` uses."""
