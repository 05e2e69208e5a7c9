"""Points that come with a message, and the budget of them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0003_roles"),
        ("loyalty", "0003_store_stock"),
        ("members", "0002_first_rows"),
    ]
    operations = [
        migrations.AddField(
            model_name="step",
            name="points",
            field=models.PositiveIntegerField(
                db_default=0, default=0, help_text="So many points come with the message; 0: none."
            ),
        ),
        migrations.CreateModel(
            name="PointsGift",
            fields=[
                (
                    "delivery",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="points_gift",
                        serialize=False,
                        to="campaigns.delivery",
                    ),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="campaign_gift",
                        to="loyalty.entry",
                    ),
                ),
                ("points", models.PositiveIntegerField()),
                (
                    "taken_back",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="What was left of them when the message came to nothing.",
                    ),
                ),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("points__gt", 0), ("taken_back__lte", models.F("points"))
                        ),
                        name="gift_taken_back_at_most_given",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(
                    ("is_charged", True), ("state__in", ["failed", "objected", "expired"])
                ),
                fields=["campaign"],
                name="delivery_charged_in_vain",
            ),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="budget",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='{"sends": 500, "sends_per_day": 50, "vouchers": 9, "points": 9000,'
                ' "money": "250.00"}; {}: no.',
            ),
        ),
        migrations.AddField(
            model_name="spending",
            name="points",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RemoveConstraint(model_name="spending", name="spending_not_negative"),
        migrations.AddConstraint(
            model_name="spending",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("money__gte", 0),
                    ("points__gte", 0),
                    ("sends__gte", 0),
                    ("vouchers__gte", 0),
                ),
                name="spending_not_negative",
            ),
        ),
    ]
