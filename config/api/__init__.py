"""The HTTP plumbing that every door shares; views say `from config.api import callers, writes`.

problems, handlers   one error shape (RFC 9457)      parsing, serializers  what may come in
authentication, callers   who is asking              writes                keyed, replayable POSTs
throttling           how often                       paging                lists by cursor
openapi              the document

Nothing is imported here: REST framework loads its defaults from this package while it is itself
half imported.
"""
