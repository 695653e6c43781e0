"""The processes of `tamis serve`."""
