"""Files that one process leaves for another, so that no message waits for the store."""
