"""Lead scores, and the interactions by which scores and stages are answered."""

from typing import Any

import django.core.validators
import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from members import roles

# slug: name, weight, half-life in days, may be reported by apps and shops, is a visit
KINDS = {
    "download": ("Downloaded", 0.3, 60, True, True),
    "score-reached": ("Score reached", 0.0, 90, False, False),
    "stage-changed": ("Stage changed", 0.0, 90, False, False),
    "hesitated": ("Looked again and did not buy", 0.0, 90, False, False),
}


def create(apps: Any, schema_editor: Any) -> None:
    kind = apps.get_model("members", "InteractionKind")
    kind.objects.bulk_create(
        [
            kind(
                slug=slug,
                name=name,
                weight=weight,
                half_life_days=days,
                is_open=is_open,
                is_visit=is_visit,
            )
            for slug, (name, weight, days, is_open, is_visit) in KINDS.items()
        ],
        ignore_conflicts=True,  # A brand may have had one of these before us.
    )
    # Django makes permissions after the last migration; the groups need them now.
    create_permissions(installed.get_app_config("members"), verbosity=0, apps=apps)
    roles.establish(apps)


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0002_first_rows'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Score',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=60)),
                ('threshold', models.PositiveIntegerField(default=20, help_text='Whoever comes to so many points is an interaction: score-reached.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000)])),
                ('half_life_days', models.FloatField(default=30.0, help_text='After so many days a point counts half. Changing it counts everybody again.', validators=[django.core.validators.MinValueValidator(0.5), django.core.validators.MaxValueValidator(36500.0)])),
                ('is_active', models.BooleanField(default=True, help_text='Counts what members do.')),
                ('caught_up_at', models.DateTimeField(editable=False, help_text='What was told late before this moment is counted.', null=True)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('threshold__gte', 1)), name='score_threshold_positive'), models.CheckConstraint(condition=models.Q(('half_life_days__gte', 0.5)), name='score_fades')],
            },
        ),
        migrations.CreateModel(
            name='MemberScore',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mass', models.FloatField(help_text='Each point halved per half-life, as of `as_of`.')),
                ('facts', models.IntegerField(help_text='How many times points were given.')),
                ('as_of', models.DateTimeField(help_text='When the newest of them happened.')),
                ('reached_at', models.DateTimeField(help_text='When the threshold was last reached from below.', null=True)),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='members.member')),
                ('score', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='members', to='members.score')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('member', 'score'), name='member_scored_once')],
            },
        ),
        migrations.CreateModel(
            name='ScoreRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(blank=True, default='', help_text='Of this category alone; empty: of any.', max_length=64)),
                ('points', models.SmallIntegerField(help_text='Each time. Less than 0 for what cools them down.', validators=[django.core.validators.MinValueValidator(-1000), django.core.validators.MaxValueValidator(1000)])),
                ('kind', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='score_rules', to='members.interactionkind')),
                ('score', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rules', to='members.score')),
            ],
            options={
                'ordering': ['-points', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('score', 'kind', 'category'), name='score_rule_once_per_kind')],
            },
        ),
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
