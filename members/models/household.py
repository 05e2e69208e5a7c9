"""People who live together and share their points, each because they said so."""

from django.db import models
from django.db.models import Q


class Household(models.Model):
    founded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"household {self.pk}"


class HouseholdMember(models.Model):
    class State(models.TextChoices):
        INVITED = "invited"
        JOINED = "joined"

    household = models.ForeignKey(Household, on_delete=models.CASCADE, related_name="people")
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="households"
    )
    state = models.CharField(max_length=8, choices=State)
    invited_by = models.ForeignKey(
        "members.Member", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["household", "member"], name="in_household_once"),
            models.UniqueConstraint(
                fields=["member"], condition=Q(state="joined"), name="in_one_household"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member} {self.state} {self.household}"
