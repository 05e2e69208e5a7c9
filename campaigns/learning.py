"""Learning from answers: how each version did, what the next message is worth, which one to try.

An answer is a click of a likely person, or a goal reached on the journey. Records are folded from
the deliveries of live campaigns; choosing a version writes down how likely that choice was, so
that what was learned can be checked by whoever doubts it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db import connection

from campaigns import arrivals, fitting, odds
from campaigns.fitting import Reader
from campaigns.models import Engagement, Step, TrackRecord, Variant
from members import languages
from members.models import Interest


@dataclass(frozen=True, slots=True)
class Odds:
    """For these readers, in this context (an interest, 0 for none), numbers from `low` up to
    `high` choose the variant."""

    reader: Reader
    context: int
    variant: int
    low: float
    high: float

    @property
    def propensity(self) -> float:
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Record:
    """How a version did in a context (None: all together), and how likely it is chosen for these
    `readers`: their language and their tier, if they are told apart by it."""

    readers: tuple[str, ...]
    variant: Variant
    context: Interest | None
    sent: int
    answered: int
    propensity: float


def fold(*, now: datetime) -> int:
    """Write the track records of live campaigns anew; returns how many changed."""
    arrivals.note_all(now=now)
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, {"now": now, "likely": Engagement.LIKELY})
        return int(cursor.rowcount)


@lru_cache(maxsize=512)
def _odds(records: tuple[tuple[int, tuple[int, int]], ...], seed: int) -> dict[int, float]:
    """Records change once a night; the draws are the same for the same ones."""
    return odds.of_versions(dict(records), seed=seed)


def chances(step: Step, *, variants: Iterable[int]) -> dict[int, float]:
    """{variant: probability of an answer} by the variants' whole records."""
    sums = dict.fromkeys(variants, (0, 0))
    for row in TrackRecord.objects.filter(variant__step=step):
        sent, answered = sums[row.variant_id]
        sums[row.variant_id] = (sent + row.sent, answered + row.answered)
    return {
        pk: odds.of_answer(sent=sent, answered=answered) for pk, (sent, answered) in sums.items()
    }


def versions(step: Step) -> list[Odds]:
    """The odds of a step's versions for every kind of reader, in every context that has a record
    of a version they may get, and without one."""
    variants = list(step.variants.all())
    rows = list(TrackRecord.objects.filter(variant__step=step).order_by("context_id", "pk"))
    found = []
    for reader in fitting.readers(variants):
        arms = [each.pk for each in fitting.arms(variants, reader=reader)]
        for context, known in sorted(_known(rows, arms).items()):
            likely = _odds(tuple((pk, known.get(pk, (0, 0))) for pk in arms), step.pk)
            low = 0.0
            for number, pk in enumerate(arms):
                high = 1.0 if number == len(arms) - 1 else low + likely[pk]
                found.append(Odds(reader, context, pk, low, high))
                low = high
    return found


def records(step: Step) -> list[Record]:
    """What a step's versions were sent and answered, by who may get them and by context; that of
    all together first. Readers who choose among the same as less specific ones are left out."""
    variants = {row.pk: row for row in step.variants.select_related("interest", "tier")}
    rows = list(TrackRecord.objects.filter(variant__step=step).order_by("context_id", "pk"))
    known = _known(rows, variants)
    contexts = Interest.objects.in_bulk(known)
    distinct: dict[tuple[int, ...], Reader] = {}
    for reader in fitting.readers(variants.values()):
        arms = fitting.arms(variants.values(), reader=reader)
        distinct.setdefault(tuple(each.pk for each in arms), reader)
    return [
        Record(
            _in_words(each.reader, variants),
            variants[each.variant],
            contexts.get(each.context),
            *known[each.context].get(each.variant, (0, 0)),
            each.propensity,
        )
        for each in versions(step)
        if each.reader in distinct.values()
    ]


def _in_words(reader: Reader, variants: Mapping[int, Variant]) -> tuple[str, ...]:
    tiers = {each.tier_id: str(each.tier) for each in variants.values() if each.tier}
    language = languages.name_of(reader.language)
    return tuple(word for word in (language, tiers.get(reader.tier, "")) if word)


def _known(
    rows: Iterable[TrackRecord], variants: Collection[int]
) -> dict[int, dict[int, tuple[int, int]]]:
    """{context: {variant: (sent, answered)}} of these; context 0 is all of them together."""
    records: dict[int, dict[int, tuple[int, int]]] = {0: {}}
    for row in rows:
        if row.variant_id not in variants:
            continue
        context = row.context_id or 0
        for place in {0, context}:
            sent, answered = records.setdefault(place, {}).get(row.variant_id, (0, 0))
            records[place][row.variant_id] = (sent + row.sent, answered + row.answered)
    return records


_FOLD = """
INSERT INTO campaigns_trackrecord AS known (variant_id, context_id, sent, answered)
SELECT d.variant_id, d.context_id, count(*), count(*) FILTER (
           WHERE j.goal_at IS NOT NULL OR EXISTS (
               SELECT FROM campaigns_engagement e
                WHERE e.delivery_id = d.id AND e.kind = 'clicked'
                  AND e.human_percent >= %(likely)s))
  FROM campaigns_delivery d
  JOIN campaigns_journey j ON j.id = d.journey_id
  JOIN campaigns_campaign c ON c.id = d.campaign_id AND c.state = 'live'
 WHERE d.state = 'sent' AND d.sent_at <= %(now)s AND d.variant_id IS NOT NULL
 GROUP BY d.variant_id, d.context_id
    ON CONFLICT (variant_id, context_id) DO UPDATE
   SET sent = excluded.sent, answered = excluded.answered
 WHERE (known.sent, known.answered) <> (excluded.sent, excluded.answered)
"""
