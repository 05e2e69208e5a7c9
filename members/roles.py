"""What each role of the staff may do, and whose rows somebody of the staff sees.

Roles are groups, made by a migration and free to be changed afterwards. Somebody with a store sees
that store only, whatever the role; without one it takes a permission to see all of them, so that
a clerk whose store was forgotten sees nobody rather than everybody.
"""

from typing import Any

from django.apps.registry import Apps
from django.db.models import Model, QuerySet

from members.models import User

SEE_EVERY_STORE = "members.see_every_store"
EXPORT_MEMBERS = "members.export_member"
# Rights that are about no model's add, change, delete or view.
SPECIAL = {
    SEE_EVERY_STORE: "Can see the members and purchases of every store",
    EXPORT_MEMBERS: "Can export members",
}

CLERK = {
    "members.member": "view add change",
    "members.consent": "view add",
    "members.memberscore": "view",
    "loyalty.account": "view",
    "loyalty.entry": "view",
    "loyalty.purchase": "view",
    "loyalty.tillevent": "view change",
    "loyalty.checkin": "view",
    "loyalty.voucher": "view change",
    "loyalty.redemption": "view change",
    "loyalty.waiting": "view",
    "loyalty.grant": "view add",
    "loyalty.reward": "view",
    "loyalty.session": "view",
    "loyalty.tier": "view",
    "loyalty.place": "view",
    "loyalty.outing": "view",
    "loyalty.challenge": "view",
    "loyalty.collection": "view",
    "loyalty.registration": "view change",
    "loyalty.product": "view",
    "loyalty.storestock": "view",
    "campaigns.stafftask": "view change",
}
# Calls for the stores that have no time to, and for members without a store.
CALL_CENTRE = {
    "members.member": "view change see_every_store",
    "members.consent": "view add",
    "loyalty.account": "view",
    "loyalty.entry": "view",
    "loyalty.purchase": "view",
    "loyalty.checkin": "view",
    "loyalty.storestock": "view",
    "campaigns.delivery": "view",
    "campaigns.stafftask": "view change",
}
MARKETER = {
    "members.member": "view add change see_every_store export",
    "members.consent": "view add",
    "members.device": "view",
    "members.interaction": "view",
    "members.interactionkind": "view change",
    "members.interest": "view add change",
    "members.store": "view",
    "members.topic": "view add change",
    "members.survey": "view add change delete",
    "members.question": "view add change delete",
    "members.submission": "view",
    "members.score": "view add change",
    "members.scorerule": "view add change delete",
    "members.memberscore": "view",
    "members.mailbox": "view change",
    "members.webhook": "view",
    "members.announcement": "view",
    "loyalty.account": "view",
    "loyalty.entry": "view",
    "loyalty.lot": "view",
    "loyalty.purchase": "view",
    "loyalty.tillevent": "view change",
    "loyalty.checkin": "view change",
    "loyalty.earnrule": "view add change delete",
    "loyalty.reward": "view add change delete",
    "loyalty.session": "view add change delete",
    "loyalty.issuancewindow": "view add change delete",
    "loyalty.grant": "view add",
    "loyalty.merge": "view add change",
    "loyalty.redemption": "view change",
    "loyalty.waiting": "view",
    "loyalty.voucher": "view add change",
    "loyalty.tier": "view add change delete",
    "loyalty.pointspolicy": "view change",
    "loyalty.product": "view add change delete",
    "loyalty.storestock": "view",
    "loyalty.place": "view add change delete",
    "loyalty.outing": "view add change delete",
    "loyalty.challenge": "view add change delete",
    "loyalty.collection": "view add change delete",
    "loyalty.challengejoining": "view",
    "loyalty.challengecompletion": "view",
    "loyalty.registration": "view change",
    "loyalty.post": "view change",
    "loyalty.referral": "view change",
    "campaigns.audience": "view add change delete",
    "campaigns.campaign": "view add change delete",
    "campaigns.step": "view add change delete",
    "campaigns.variant": "view add change delete",
    "campaigns.occasion": "view add change delete",
    "campaigns.contactcap": "view add change delete",
    "campaigns.quiethours": "view add change delete",
    "campaigns.channelstate": "view change",
    "campaigns.journey": "view",
    "campaigns.delivery": "view",
    "campaigns.engagement": "view",
    "campaigns.desk": "view add change delete",
    "campaigns.stafftask": "view change",
}
FINANCE = {
    "members.member": "see_every_store",
    "loyalty.account": "view audit",
    "loyalty.entry": "view",
    "loyalty.lot": "view",
    "loyalty.purchase": "view",
    "loyalty.reward": "view",
    "loyalty.voucher": "view",
    "loyalty.tier": "view",
    "loyalty.pointspolicy": "view",
    "campaigns.campaign": "view",
}
ADMINISTRATOR = MARKETER | {
    "loyalty.grant": "view add approve",
    "loyalty.account": "view audit",
    "members.programme": "view change",
    "members.store": "view add change",
    "members.apikey": "view add change",
    "members.webhook": "view add change",
    "members.user": "view change",
    "django_celery_beat.periodictask": "view",
}
ROLES = {
    "Clerk": CLERK,
    "Call centre": CALL_CENTRE,
    "Marketer": MARKETER,
    "Finance": FINANCE,
    "Administrator": ADMINISTRATOR,
}


def rows_seen[M: Model](rows: QuerySet[M], *, user: User, store: str) -> QuerySet[M]:
    """Of these rows the ones this person may see; `store` is the path from a row to its store."""
    if user.store_id is not None:
        return rows.filter(**{store: user.store_id})
    return rows if user.has_perm(SEE_EVERY_STORE) else rows.none()


def sees_every_store(user: User) -> bool:
    """Whether nothing is hidden from this person because of a store."""
    return user.store_id is None and user.has_perm(SEE_EVERY_STORE)


def speaks_for(user: User) -> str:
    """Where this person's word comes from, as the source of a consent: `store CODE` or `office`."""
    return f"store {user.store.code}" if user.store else "office"


def permissions_of(role: str) -> list[str]:
    """The permissions of a role, as `has_perm` takes them."""
    return [
        _named(model, right) for model, rights in ROLES[role].items() for right in rights.split()
    ]


def establish(apps: Apps) -> list[str]:
    """Make the groups and give them their permissions; what a brand added to them stays.

    `apps` are those of a migration or the installed ones. Returns the permissions that do not
    exist yet, because their models come with a later migration, which calls this again.
    """
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    member = apps.get_model("contenttypes", "ContentType").objects.get(
        app_label="members", model="member"
    )
    for name, words in SPECIAL.items():
        permission.objects.update_or_create(
            content_type=member, codename=name.partition(".")[2], defaults={"name": words}
        )
    known: dict[str, Any] = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in permission.objects.select_related("content_type")
    }
    for role in ROLES:
        row, _ = group.objects.get_or_create(name=role)
        row.permissions.add(*(known[name] for name in permissions_of(role) if name in known))
    wanted = {name for role in ROLES for name in permissions_of(role)}
    return sorted(wanted - known.keys())


def _named(model: str, right: str) -> str:
    app, name = model.split(".")
    return SEE_EVERY_STORE if right == "see_every_store" else f"{app}.{right}_{name}"
