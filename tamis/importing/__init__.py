"""What other filters' configurations become here: read, translated, and every line of them accounted for.

A reader of one kind of file (`spamassassin`, `rspamd`, `pmg`) fills a `Gathering`; nothing here changes anything.
"""
