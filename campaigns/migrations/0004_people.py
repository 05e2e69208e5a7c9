"""Calls for people to make, the desks that make them, and who of the staff may."""

from typing import Any

import django.db.models.deletion
from django.apps import apps as installed
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from members import roles


def create(apps: Any, schema_editor: Any) -> None:
    create_permissions(installed.get_app_config("campaigns"), verbosity=0, apps=apps)
    roles.establish(apps)


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0003_roles'),
        ('members', '0002_first_rows'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='delivery',
            name='reason',
            field=models.CharField(blank=True, choices=[('', 'None'), ('consent', 'no consent for any of its channels'), ('address', 'no address, device or number to send to'), ('cap', 'had enough messages lately'), ('quiet_hours', 'inside quiet hours'), ('seats', 'nobody has time for a call that day'), ('desk', 'neither the store nor a call centre takes calls'), ('member_pause', 'the member asked for a pause'), ('no_date', 'no date is known where the member lives'), ('erased', 'the member was erased'), ('merged', 'the member was merged with another'), ('rendering', 'the message could not be written'), ('refused', 'the provider refused it for good'), ('tries', 'the provider could not be reached'), ('late', 'its moment had passed'), ('in_doubt', 'the sender died while sending')], default='', max_length=12),
        ),
        migrations.CreateModel(
            name='Desk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seats_per_day', models.PositiveSmallIntegerField(default=10, help_text="So many new calls a day, by the desk's own calendar.")),
                ('is_open', models.BooleanField(default=True, help_text='What is in the queue already stays there.', verbose_name='takes calls')),
                ('store', models.ForeignKey(blank=True, db_index=False, help_text='Empty: the call centre, for members whose store takes no calls.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='desks', to='members.store')),
            ],
            options={
                'ordering': ['store__name'],
                'constraints': [models.UniqueConstraint(fields=('store',), name='desk_once_per_store', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='StaffTask',
            fields=[
                ('delivery', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='staff_task', serialize=False, to='campaigns.delivery')),
                ('subject', models.CharField(max_length=300)),
                ('text', models.TextField(help_text='What to say.')),
                ('created_at', models.DateTimeField(help_text="Counts against the desk's seats of that day.")),
                ('due_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('taken', 'Taken'), ('done', 'Done'), ('withdrawn', 'Withdrawn')], default='open', max_length=9)),
                ('withdrawn_because', models.CharField(blank=True, choices=[('', 'None'), ('goal', 'they came by themselves'), ('erased', 'the member was erased'), ('merged', 'the member was merged with another'), ('member_pause', 'the member asked for a pause'), ('consent', 'the member allows no calls any more'), ('late', 'its moment had passed')], default='', max_length=12)),
                ('taken_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0, help_text='Calls nobody answered.')),
                ('outcome', models.CharField(blank=True, choices=[('', 'None'), ('reached', 'Reached'), ('not_reached', 'not reached'), ('wrong_number', 'wrong number'), ('interested', 'Interested'), ('not_interested', 'not interested'), ('no_emails', 'no more e-mails'), ('no_contact', 'no more contact at all')], default='', max_length=14)),
                ('note', models.TextField(blank=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('done_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='staff_tasks', to='members.member')),
                ('store', models.ForeignKey(db_index=False, help_text="Whose it is; none: the call centre's.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='staff_tasks', to='members.store')),
                ('taken_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'call',
                'indexes': [models.Index(condition=models.Q(('state__in', ['open', 'taken'])), fields=['store', 'due_at'], name='staff_task_waiting'), models.Index(fields=['store', 'created_at'], name='staff_task_by_desk'), models.Index(fields=['member'], name='staff_task_by_member')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('state', 'taken'), _negated=True), models.Q(('taken_at__isnull', False), ('taken_by__isnull', False)), _connector='OR'), name='staff_task_taken_by_somebody'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'done'), _negated=True), models.Q(('done_at__isnull', False), ('done_by__isnull', False), models.Q(('outcome', ''), _negated=True)), _connector='OR'), name='staff_task_done_has_an_outcome'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'withdrawn'), _negated=True), models.Q(('withdrawn_because', ''), _negated=True), _connector='OR'), name='staff_task_withdrawn_has_a_reason'), models.CheckConstraint(condition=models.Q(('attempts__lte', 3)), name='staff_task_attempts_at_most_3')],
            },
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
