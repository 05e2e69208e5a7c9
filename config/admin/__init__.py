"""The plumbing that every floor's admin shares.

rows            whose rows a page shows, what a refusal looks like, what an empty list says
contributions   what a floor adds to pages below it: panels, columns, figures, steps, questions
dashboard, sidebar   the first page and the way around, by role
local_time      the clock on the wall of the store
fields, columns, spreadsheet   chips instead of raw arrays; typed columns; CSV that nothing runs

A lower floor cannot know the floors above it, and yet a member's page shows points and messages:
so the page is the lower floor's and what is on it are contributions.
"""
