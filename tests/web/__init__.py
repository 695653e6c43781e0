"""The pages: in a browser, without one, and against those who mean harm."""
