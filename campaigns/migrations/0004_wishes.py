"""What campaigns are about, a cap that is the member's own, and who looks after the topics."""

from typing import Any

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from members import roles


def create(apps: Any, schema_editor: Any) -> None:
    create_permissions(installed.get_app_config("members"), verbosity=0, apps=apps)
    roles.establish(apps)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0003_roles'),
        ('members', '0003_wishes'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaign',
            name='topic',
            field=models.ForeignKey(blank=True, help_text='What it is about: members may not want to hear of that. Empty: of nothing.', null=True, on_delete=django.db.models.deletion.PROTECT, to='members.topic'),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='reason',
            field=models.CharField(blank=True, choices=[('', 'None'), ('consent', 'no consent for any of its channels'), ('address', 'no address, device or number to send to'), ('budget', "the campaign's budget was spent"), ('worth', 'not worth another message'), ('cap', 'had enough messages lately'), ('topic', 'the member does not want this topic'), ('ignored', 'the member took no notice of the last ones'), ('quiet_hours', 'inside quiet hours'), ('member_pause', 'the member asked for a pause'), ('condition', 'its condition did not hold'), ('goal', 'the goal was reached before'), ('no_date', 'no date is known where the member lives'), ('erased', 'the member was erased'), ('merged', 'the member was merged with another'), ('rendering', 'the message could not be written'), ('refused', 'the provider refused it for good'), ('tries', 'the provider could not be reached'), ('late', 'its moment had passed'), ('in_doubt', 'the sender died while sending')], default='', max_length=12),
        ),
        migrations.AlterField(
            model_name='objection',
            name='cap',
            field=models.ForeignKey(help_text="Empty: the member's own.", null=True, on_delete=django.db.models.deletion.CASCADE, to='campaigns.contactcap'),
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
