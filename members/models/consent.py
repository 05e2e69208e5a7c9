"""What a member allowed and withdrew: an append-only record, and the state it adds up to."""

import pgtrigger
from django.db import models

APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class Channel(models.TextChoices):
    EMAIL = "email", "e-mail"
    PUSH = "push"
    SMS = "sms", "SMS"
    INBOX = "inbox", "app inbox"
    PEOPLE = "people", "call or visit"


class Purpose(models.TextChoices):
    MARKETING = "marketing"
    SERVICE = "service"


class Consent(models.Model):
    """One decision. Corrected by adding, never by editing; a trigger refuses the rest."""

    class Action(models.TextChoices):
        REQUESTED = "requested"
        GRANTED = "granted"
        WITHDRAWN = "withdrawn"

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="consents", db_index=False
    )
    channel = models.CharField(max_length=8, choices=Channel)
    purpose = models.CharField(max_length=12, choices=Purpose)
    action = models.CharField(max_length=12, choices=Action)
    at = models.DateTimeField()
    source = models.CharField(max_length=80, help_text="Where it was said: app, till, import …")
    text_version = models.CharField(max_length=40, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["member", "at"], name="consent_by_member")]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "channel", "purpose", "action", "at"],
                name="consent_recorded_once",
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
                # In the database, so that no loader and no door can record one without the other.
                func="""
                    INSERT INTO members_consentstate
                           (member_id, channel, purpose, is_allowed, decided_at)
                    SELECT DISTINCT ON (member_id, channel, purpose)
                           member_id, channel, purpose, action = 'granted', at
                      FROM said WHERE action <> 'requested'
                     ORDER BY member_id, channel, purpose, at DESC, id DESC
                    ON CONFLICT (member_id, channel, purpose) DO UPDATE
                       SET is_allowed = excluded.is_allowed, decided_at = excluded.decided_at
                     WHERE members_consentstate.decided_at <= excluded.decided_at;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.action}"


class ConsentState(models.Model):
    """What the record adds up to: derived by trigger, read at the last gate, never written to."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="consent_states", db_index=False
    )
    channel = models.CharField(max_length=8, choices=Channel)
    purpose = models.CharField(max_length=12, choices=Purpose)
    is_allowed = models.BooleanField()
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "channel", "purpose"], name="consent_state_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {'yes' if self.is_allowed else 'no'}"
