"""Whether a membership is somebody's own who is at the same time of the staff."""

from django.db.models import Q

from members import households
from members.models import Member, User
from members.models.user import email_key


def has_one(*, user: User) -> bool:
    """Whether somebody of the staff is a member, too."""
    return Member.objects.filter(Q(user=user) | Q(email_key=email_key(user.email))).exists()


def is_own(*, member: Member, user: User) -> bool:
    """Whether this is the person's own membership, or of a number that leads to it, or of somebody
    who shares points with them. Before the first sign-in the address is all that tells."""
    people = {member.pk, member.merged_into_id or member.pk}
    people |= set(households.sharers(member_id=member.pk))
    rows = Member.objects.filter(Q(pk__in=people) | Q(merged_into__in=people))
    return rows.filter(Q(user=user) | Q(email_key=email_key(user.email))).exists()
