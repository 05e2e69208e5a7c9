"""The rows every programme starts with; all of them can be edited in the admin."""

from typing import Any

from django.db import migrations

INTERESTS = {
    "camping": "Camping",
    "climbing": "Climbing",
    "hiking": "Hiking",
    "snow": "Snow",
    "trail-running": "Trail running",
}
# slug: name, weight, half-life in days, may be reported by apps and shops
KINDS = {
    "purchase": ("Purchase", 1.0, 365, False),
    "outing": ("Outing attended", 1.0, 270, False),
    "check-in": ("Check-in", 0.8, 180, False),
    "survey-answer": ("Survey answer", 1.5, 365, False),
    "survey": ("Survey sent in", 0.0, 90, False),
    "review": ("Review", 0.6, 270, False),
    "photo": ("Photo", 0.6, 270, False),
    "challenge": ("Challenge completed", 0.8, 270, False),
    "add-to-basket": ("Put in the basket", 0.3, 45, True),
    "share": ("Shared", 0.3, 90, True),
    "click": ("Click", 0.25, 60, True),
    "search": ("Search", 0.15, 30, True),
    "view": ("Viewed", 0.12, 30, True),
    "pick-up": ("Picked up in the store", 0.0, 90, False),
    "store-visit": ("Store visit", 0.0, 90, True),
    "download": ("Downloaded", 0.3, 60, True),
    "score-reached": ("Score reached", 0.0, 90, False),
    "stage-changed": ("Stage changed", 0.0, 90, False),
    "hesitated": ("Looked again and did not buy", 0.0, 90, False),
    "open": ("Message opened", 0.02, 30, False),
    "birthday": ("Birthday", 0.0, 90, False),
    "profile-complete": ("Profile completed", 0.0, 90, False),
    "referral": ("Recommended us", 0.0, 90, False),
    "referred": ("Came on a recommendation", 0.0, 90, False),
    "check-in-reviewed": ("Check-in reviewed", 0.0, 90, False),
    "points-expiring": ("Points about to expire", 0.0, 90, False),
    "tier-change": ("Tier changed", 0.0, 90, False),
    "seat-found": ("Seat found for who waited", 0.0, 90, False),
}
# Of these, the ones in which somebody came, by themself: what the lift of a campaign counts.
VISITS = {
    "purchase", "outing", "check-in", "review", "photo", "add-to-basket", "share", "search", "view",
    "store-visit", "survey-answer", "pick-up", "download",
}  # fmt: skip


def create(apps: Any, schema_editor: Any) -> None:
    apps.get_model("members", "Programme").objects.create(id=1)
    apps.get_model("members", "Interest").objects.bulk_create(
        [
            apps.get_model("members", "Interest")(slug=slug, name=name)
            for slug, name in INTERESTS.items()
        ]
    )
    kind = apps.get_model("members", "InteractionKind")
    kind.objects.bulk_create(
        [
            kind(
                slug=slug,
                name=name,
                weight=weight,
                half_life_days=days,
                is_open=is_open,
                is_visit=slug in VISITS,
            )
            for slug, (name, weight, days, is_open) in KINDS.items()
        ]
    )


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE members_member_number START 1000001",
            "DROP SEQUENCE members_member_number",
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
