"""What people read: translation, text made safe for showing, time zones."""
