"""What several filters have in common."""
