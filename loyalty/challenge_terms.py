"""What a challenge may ask: refused where it contradicts itself, and said in words."""

from config.errors import Invalid
from loyalty.models import Challenge

Counts, How, Unit = Challenge.Counts, Challenge.How, Challenge.Unit

# What each kind of fact can be asked, and what its different ones can be.
CONDITIONS = {
    Counts.CHECK_IN: {"collection", "interests"},
    Counts.OUTING: {"collection", "interests", "stores"},
    Counts.PURCHASE: {"interests", "stores", "categories"},
    Counts.INTERACTION: {"collection", "interests", "categories"},
}
UNITS = {
    Counts.CHECK_IN: {Unit.PLACE, Unit.DAY, Unit.WEEK},
    Counts.OUTING: {Unit.PLACE, Unit.DAY, Unit.WEEK},
    Counts.PURCHASE: {Unit.CATEGORY, Unit.DAY, Unit.WEEK},
    Counts.INTERACTION: {Unit.PLACE, Unit.CATEGORY, Unit.DAY, Unit.WEEK},
}
MOST = 1_000
NOUNS = {
    Counts.CHECK_IN: ("check-in", "check-ins"),
    Counts.OUTING: ("outing", "outings"),
    Counts.PURCHASE: ("purchase", "purchases"),
}


def check(challenge: Challenge) -> None:
    """Refuse terms that contradict themselves, or that nobody could fulfil."""
    counts = Counts(challenge.counts)
    if challenge.ends_at <= challenge.starts_at:
        raise Invalid("It ends before it starts.", pointer="/ends_at")
    if not 1 <= challenge.target <= MOST:
        raise Invalid(f"From 1 to {MOST:,}.", pointer="/target")
    if challenge.max_winners is not None and challenge.max_winners < challenge.winners:
        raise Invalid(f"{challenge.winners} have won already.", pointer="/max_winners")
    _conditions(challenge, counts)
    _counting(challenge, counts)
    if challenge.unit == Unit.PLACE and challenge.collection is not None:
        places = challenge.collection.places.count()
        if challenge.target > places:
            raise Invalid(f"The collection has {places} places.", pointer="/target")


def _conditions(challenge: Challenge, counts: Challenge.Counts) -> None:
    if (counts == Counts.INTERACTION) != (challenge.kind_id is not None):
        raise Invalid("Interactions, and only they, have a kind.", pointer="/kind")
    asked = {"collection": challenge.collection_id, "interests": challenge.interests}
    asked |= {"stores": challenge.stores, "categories": challenge.categories}
    for name, value in asked.items():
        if value and name not in CONDITIONS[counts]:
            raise Invalid(f"This cannot be asked of {counts.label}.", pointer=f"/{name}")


def _counting(challenge: Challenge, counts: Challenge.Counts) -> None:
    how, unit = How(challenge.how), challenge.unit
    if how == How.TIMES and unit:
        raise Invalid("Counting times has no different ones: leave it empty.", pointer="/unit")
    if how == How.STREAK and unit not in (Unit.DAY, Unit.WEEK):
        raise Invalid("A row is one of days or of weeks.", pointer="/unit")
    if how == How.DISTINCT and unit not in UNITS[counts]:
        offered = " or ".join(sorted(one.label for one in UNITS[counts]))
        raise Invalid(f"Of {counts.label} these differ: {offered}.", pointer="/unit")
    if challenge.forgiven and how != How.STREAK:
        raise Invalid("Only in a row can something be missing.", pointer="/forgiven")


def in_words(challenge: Challenge) -> str:
    """5 different places, 4 days in a row (1 may be missing), 3 purchases."""
    number, unit = challenge.target, challenge.unit
    one, many = NOUNS.get(Counts(challenge.counts)) or (f"times {challenge.kind}",) * 2
    match challenge.how:
        case How.DISTINCT:
            units = Unit(unit).label
            what = f"{number} different {units} of {many}"
        case How.STREAK:
            spare = f" ({challenge.forgiven} may be missing)" if challenge.forgiven else ""
            what = f"{number} {Unit(unit).label} in a row with {many}{spare}"
        case _:
            what = f"{number} {one if number == 1 else many}"
    return what
