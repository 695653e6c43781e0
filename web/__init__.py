"""The pages: for the senders of held mail, for its recipients and for their administrators."""
