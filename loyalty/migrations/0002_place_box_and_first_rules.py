"""The index that finds places, the earn rules a new programme starts with, and drafts of more."""

from decimal import Decimal
from typing import Any

from django.db import migrations

# slug, name, fact, points, at most per member and year; published when a brand wants them
DRAFTS = (
    ("surveys", "Answering a survey", "survey", 20, None),
    ("reviews", "A review", "review", 30, 600),
    ("photos", "A photo", "photo", 30, 600),
    ("referrals", "Recommending us", "referral", 200, 2_000),
    ("referred", "Coming on a recommendation", "referred", 100, None),
)


def create(apps: Any, schema_editor: Any) -> None:
    apps.get_model("loyalty", "PointsPolicy").objects.create(id=1)
    rule = apps.get_model("loyalty", "EarnRule")
    rule.objects.create(
        slug="purchases",
        name="Purchases",
        fact="purchase",
        points=1,
        per="amount",
        per_amount=Decimal(1),
    )
    rule.objects.create(
        slug="outings",
        name="Coming along on an outing",
        fact="outing",
        points=100,
        per="fact",
        valid_months=24,
    )
    rule.objects.create(
        slug="challenges",
        name="Doing what a challenge asks",
        fact="challenge",
        points=100,
        per="fact",
        valid_months=24,
    )
    rule.objects.create(
        slug="check-ins",
        name="Check-in at a place worth going to",
        fact="check_in",
        points=50,
        per="fact",
        valid_months=24,
        member_cap=2_000,
        member_cap_period="year",
    )
    for slug, name, fact, points, cap in DRAFTS:
        rule.objects.create(
            slug=slug,
            name=name,
            fact=fact,
            points=points,
            per="fact",
            valid_months=24,
            member_cap=cap,
            member_cap_period="year",
            is_published=False,
        )


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX place_by_box ON loyalty_place"
            " USING gist (box(point(west, south), point(east, north))) WHERE is_open",
            "DROP INDEX place_by_box",
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
