"""What one process leaves in files for another, so that no mail waits for the store."""
