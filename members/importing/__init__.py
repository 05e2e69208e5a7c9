"""Loading files: one engine that streams, checks and counts, and one small file a kind of row.

A file is read in chunks of constant size, each written set by set in its own transaction. Good
rows land, bad rows go to a file beside it with line and reason, and a second run adds nothing.
A new kind is one file (a `kinds.Kind`) and one line in `campaigns.importing`.
"""
