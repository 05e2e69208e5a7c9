"""How much a member bears until the marketer says otherwise, the channels, and the fence of the
senders."""

from datetime import time
from typing import Any

from django.db import migrations


def create(apps: Any, schema_editor: Any) -> None:
    channels = ["email", "push", "sms"]
    apps.get_model("campaigns", "ContactCap").objects.create(
        name="Two a week", channels=channels, max_messages=2, window_days=7
    )
    state = apps.get_model("campaigns", "ChannelState")
    state.objects.bulk_create(
        state(channel=channel) for channel in ("email", "push", "sms", "inbox", "people")
    )
    apps.get_model("campaigns", "QuietHours").objects.create(
        name="Nights", channels=channels, starts=time(21, 0), ends=time(8, 0)
    )


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE campaigns_lease", "DROP SEQUENCE campaigns_lease"
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
