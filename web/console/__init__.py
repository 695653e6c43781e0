"""The administrator's console: a page is a question, its first sentence the answer."""
