"""The way from Postfix's queue back: copies to be stored or changed, and the proof that the way works."""
