"""What became of mail to an address."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0002_first_rows'),
    ]

    operations = [
        migrations.CreateModel(
            name='Mailbox',
            fields=[
                ('email_key', models.CharField(max_length=254, primary_key=True, serialize=False, verbose_name='address')),
                ('hard_at', models.DateTimeField(help_text='It does not exist, said its server.', null=True)),
                ('soft_at', django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list, help_text='The latest times it was full or away, since something arrived.', size=None)),
                ('delivered_at', models.DateTimeField(null=True)),
                ('cleared_at', models.DateTimeField(help_text='Somebody of the staff said: it works.', null=True)),
                ('unreachable_since', models.DateTimeField(null=True)),
                ('said', models.CharField(blank=True, help_text='By its server, the last time.', max_length=200)),
            ],
            options={
                'verbose_name': 'bounced address',
                'verbose_name_plural': 'bounced addresses',
                'constraints': [models.CheckConstraint(condition=models.Q(('unreachable_since__isnull', True), ('hard_at__isnull', False), ('soft_at__len', 5), _connector='OR'), name='mailbox_unreachable_for_a_reason')],
            },
        ),
    ]
