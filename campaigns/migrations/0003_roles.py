"""The roles of the staff."""

from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from members import roles

APPS = ("members", "loyalty", "campaigns", "django_celery_beat")


def create(apps: Any, schema_editor: Any) -> None:
    # Django makes permissions after the last migration; the groups need them now.
    for label in APPS:
        create_permissions(installed.get_app_config(label), verbosity=0, apps=apps)
    roles.establish(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0002_first_rows"),
        ("loyalty", "0002_place_box_and_first_rules"),
        ("campaigns", "0002_policies_and_lease"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
