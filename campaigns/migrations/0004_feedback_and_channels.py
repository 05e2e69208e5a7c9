"""What providers tell of our messages, what is sent again in doubt, and how channels are doing."""

from typing import Any

import django.core.validators
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from members import roles

CHANNELS = ("email", "push", "sms", "inbox", "people")


def create(apps: Any, schema_editor: Any) -> None:
    state = apps.get_model("campaigns", "ChannelState")
    for channel in CHANNELS:
        state.objects.get_or_create(channel=channel)
    # Django makes permissions after the last migration; the groups need them now.
    for label in ("members", "campaigns"):
        create_permissions(installed.get_app_config(label), verbosity=0, apps=apps)
    roles.establish(apps)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0003_roles'),
        ('members', '0003_bounced_addresses'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChannelState',
            fields=[
                ('channel', models.CharField(choices=[('email', 'e-mail'), ('push', 'Push'), ('sms', 'SMS'), ('inbox', 'app inbox'), ('people', 'call or visit')], max_length=8, primary_key=True, serialize=False, verbose_name='channel')),
                ('max_per_minute', models.PositiveIntegerField(blank=True, help_text='Messages of all campaigns together; empty: as fast as it goes.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('failures', models.PositiveIntegerField(default=0, editable=False, help_text='Batches in a row that the provider took nothing of.')),
                ('open_until', models.DateTimeField(editable=False, help_text='Until then nothing is tried; empty: all is well.', null=True)),
            ],
            options={
                'verbose_name': 'channel',
                'ordering': ['channel'],
            },
        ),
        migrations.AddField(
            model_name='delivery',
            name='resends',
            field=models.SmallIntegerField(db_default=0, help_text='Sent again in doubt, so that it may have arrived more than once.'),
        ),
        migrations.AddField(
            model_name='engagement',
            name='event',
            field=models.UUIDField(editable=False, help_text="The mail provider's event this comes from.", null=True),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('sent_at__isnull', False)), fields=['channel', 'sent_at'], name='delivery_by_channel'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('resends__range', (0, 2))), name='delivery_resent_twice_at_most'),
        ),
        migrations.AddConstraint(
            model_name='engagement',
            constraint=models.UniqueConstraint(condition=models.Q(('event__isnull', False)), fields=('event',), name='engagement_recorded_once'),
        ),
        migrations.AddConstraint(
            model_name='channelstate',
            constraint=models.CheckConstraint(condition=models.Q(('max_per_minute__isnull', True), ('max_per_minute__gt', 0), _connector='OR'), name='channel_rate_positive'),
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
