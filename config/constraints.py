"""Which named constraint of the database refused a write, when no room had done so in words.

Their names are sentences: `session_never_overbooked`.
"""

# Violations that say "somebody else was faster" or "never": unique, check, exclusion, foreign key.
STATES = {"23505", "23514", "23P01", "23503", "23001"}


def name_of(error: BaseException) -> str:
    """The constraint behind a database error, '' where it was something else."""
    if getattr(error.__cause__, "sqlstate", None) not in STATES:
        return ""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or "a constraint"
