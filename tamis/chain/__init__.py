"""The road of a message: every filter asked in order, judged, and turned into a plan."""
