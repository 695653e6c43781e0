"""The road of a message: the filters run, each recipient's verdict, and the plan."""
