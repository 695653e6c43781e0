"""What people read: translation, safe display of foreign text, time zones."""
