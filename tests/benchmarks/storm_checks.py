"""What must be true after the storm, beside what the audit looks at."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count

from loyalty.models import Purchase, Redemption, Return, Reward
from members import idempotency
from members.models import IdempotencyKey
from tests.benchmarks.storm_writers import CALLER, PER_MEMBER, STOCK, Journal


def flaws(journals: Sequence[Journal]) -> list[str]:
    """Every answer that is not kept, every deed that is missing, doubled or half done."""
    kept = {
        row.key: (row.status, idempotency.opened(row.body or ""))
        for row in IdempotencyKey.objects.filter(caller=CALLER)
    }
    found = [
        f"two answers to {key} differ" for journal in journals for key in journal.contradictions
    ]
    requests: dict[str, dict[str, Any]] = {}
    for journal in journals:
        requests |= journal.requests
        for key, answer in journal.answers.items():
            if key not in kept:
                found.append(f"the answer to {key} was acknowledged and is gone")
            elif kept[key] != (answer["status"], answer["body"]):
                found.append(f"the answer to {key} is kept as another")
    found += [f"{key} was kept, but nobody asked" for key in kept.keys() - requests.keys()]
    done = {
        kind: {key for key in kept if key in requests and requests[key]["kind"] == kind}
        for kind in ("purchase", "redeem", "return")
    }
    found += _compare("purchases", done["purchase"], Purchase.objects.values_list("reference"))
    found += _compare("returns", done["return"], Return.objects.values_list("reference"))
    redemptions = {str(pk) for (pk,) in Redemption.objects.values_list("pk")}
    told = {str(kept[key][1]["redemption"]) for key in done["redeem"]}
    found += _compare("redemptions", told, [(pk,) for pk in redemptions])
    return found + _limits()


def _compare(what: str, told: set[str], rows: Any) -> list[str]:
    stored = [str(name) for (name,) in rows]
    problems = [f"{what}: {name} was answered and is not there" for name in told - set(stored)]
    problems += [f"{what}: {name} is there without an answer" for name in set(stored) - told]
    if len(stored) != len(set(stored)):
        problems.append(f"{what}: {len(stored) - len(set(stored))} are there twice")
    return problems


def _limits() -> list[str]:
    found = []
    mug = Reward.objects.get(slug="mug")
    if (mug.stock or 0) + mug.redemptions.count() != STOCK:
        found.append(f"{mug.redemptions.count()} mugs went, {mug.stock} of {STOCK} are left")
    pins = Redemption.objects.filter(reward__slug="pin").values("member").annotate(had=Count("pk"))
    return found + [
        f"member {row['member']} had {row['had']} pins of {PER_MEMBER}"
        for row in pins.filter(had__gt=PER_MEMBER)
    ]
