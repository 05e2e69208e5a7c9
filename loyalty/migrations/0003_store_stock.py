"""What stores have, and who of the staff may see it."""

from typing import Any

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from members import roles


def permit(apps: Any, schema_editor: Any) -> None:
    # Django makes permissions after the last migration; the groups need them now.
    create_permissions(installed.get_app_config("loyalty"), verbosity=0, apps=apps)
    roles.establish(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0002_place_box_and_first_rules"),
        ("members", "0002_first_rows"),
        ("campaigns", "0003_roles"),
    ]
    operations = [
        migrations.CreateModel(
            name="StoreStock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
                ("counted_at", models.DateTimeField()),
                (
                    "expected_on",
                    models.DateField(
                        blank=True,
                        help_text="When the store expects its next delivery.",
                        null=True,
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stock",
                        to="loyalty.product",
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stock",
                        to="members.store",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "stock",
                "ordering": ["product__name", "store__name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("store", "product"), name="store_stock_counted_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gte", 0)), name="store_stock_never_negative"
                    ),
                ],
            },
        ),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
