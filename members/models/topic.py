"""What messages are about, and which of it a member does not want to hear.

Rows, not code. A no is consent like any other, so it is kept the same way: decisions are appended,
and what they add up to is derived in the database.
"""

import pgtrigger
from django.db import models

from members.models.consent import APPEND_ONLY


class Topic(models.Model):
    id = models.SmallAutoField(primary_key=True)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60, help_text="As members read it: Trail stories.")
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TopicDecision(models.Model):
    """One decision. Corrected by adding, never by editing; a trigger refuses the rest."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="topic_decisions", db_index=False
    )
    topic = models.ForeignKey(Topic, on_delete=models.PROTECT, db_index=False)
    is_wanted = models.BooleanField()
    at = models.DateTimeField()
    source = models.CharField(max_length=80, help_text="Where it was said: app, message …")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "topic", "is_wanted", "at"], name="topic_decision_recorded_once"
            ),
        ]
        triggers = [
            APPEND_ONLY,
            pgtrigger.Trigger(
                name="derive_state",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="said"),
                func="""
                    INSERT INTO members_topicstate (member_id, topic_id, is_wanted, decided_at)
                    SELECT DISTINCT ON (member_id, topic_id) member_id, topic_id, is_wanted, at
                      FROM said
                     ORDER BY member_id, topic_id, at DESC, id DESC
                    ON CONFLICT (member_id, topic_id) DO UPDATE
                       SET is_wanted = excluded.is_wanted, decided_at = excluded.decided_at
                     WHERE members_topicstate.decided_at <= excluded.decided_at;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic_id} {'yes' if self.is_wanted else 'no'}"


class TopicState(models.Model):
    """What the record adds up to: derived by trigger, read at the last gate, never written to."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="topic_states", db_index=False
    )
    topic = models.ForeignKey(Topic, on_delete=models.PROTECT, db_index=False)
    is_wanted = models.BooleanField()
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "topic"], name="topic_state_once"),
        ]

    def __str__(self) -> str:
        return f"{self.topic_id} {'yes' if self.is_wanted else 'no'}"
