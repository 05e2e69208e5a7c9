"""How members get in: a sign-in user made when first needed, which follows the member's e-mail.

Guarantees: a member signs in only with her present address or that of a row merged into hers; one
user is one member's; an erased member has none. There are no passwords here: a code by e-mail
proves the address each time.
"""

import logging
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from allauth.headless.tokens.strategies.jwt import internal as jwt
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.crypto import constant_time_compare

from config.errors import Refusal
from members import prepared
from members.contacts import email_key
from members.models import Member, User

log = logging.getLogger(__name__)

TRIAL_LIFETIME = timedelta(hours=24)


class CannotSignIn(Refusal):
    code = "cannot_sign_in"


@transaction.atomic
def ensure_user(*, member: Member) -> User:
    """The user this member signs in as, made if need be, with the member's present e-mail.

    Call it again whenever the e-mail of a member who has a user changes. `CannotSignIn` for a
    member who was erased or has no e-mail, and for an address that is somebody else's sign-in.
    """
    # The lock makes two first sign-ins at once find one user.
    locked = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    if locked.erased_at is not None or locked.email_key is None:
        raise CannotSignIn("Only a member with an e-mail address can sign in.")
    holder = User.objects.filter(email=locked.email_key).first()
    user = User.objects.get(pk=locked.user_id) if locked.user_id else holder
    if holder is not None and user != holder:
        raise CannotSignIn("This address is already another person's sign-in.")
    if user is None:
        user = User.objects.create_user(locked.email_key, name=locked.full_name[:150])
    elif not locked.user_id and Member.objects.filter(user=user).exists():
        raise CannotSignIn("This address is already another member's sign-in.")
    elif user.email != locked.email_key:
        user.email = locked.email_key
        user.save(update_fields=["email"])
        # allauth remembers addresses of its own; the old one must not open the door any more.
        EmailAddress.objects.filter(user=user).delete()
    if locked.user_id != user.pk:
        Member.objects.filter(pk=locked.pk).update(user=user)
    member.user = user
    return user


def admit(*, email: str) -> User | None:
    """Whom a code sent to this address may sign in; None if nobody, for reasons kept to the log."""
    member = Member.objects.present().called(email_key=email_key(email)).first()
    if member is None:
        return None
    try:
        user = ensure_user(member=member)
    except CannotSignIn as refusal:
        log.warning("member %s cannot sign in: %s", member.pk, refusal.detail)
        return None
    return user if user.is_active else None


def token_for(*, member: Member, now: datetime, lifetime: timedelta = TRIAL_LIFETIME) -> str:
    """An access token for trying the API: a session of its own, in her device list, revocable."""
    user = ensure_user(member=member)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.set_expiry(int(lifetime.total_seconds()))
    session.create()
    key = str(session.session_key)
    session.save()
    UserSession.objects.create(
        user=user,
        ip="127.0.0.1",
        user_agent="manage.py issue_token",
        session_key=key,
        created_at=now,
        last_seen_at=now,
    )
    token: str = jwt.create_token(
        "access",
        sub=str(user.pk),
        sid=jwt.session_key_to_sid(key),
        expires_in=int(lifetime.total_seconds()),
    )[0]
    return token


def signed_in(*, token: str, now: datetime) -> tuple[User, Member | None] | None:
    """Whose access token this is, in one query: user and member, and where that one was merged.

    None where a token is not plainly good, which is for Django and allauth to judge: they renew
    what an older secret signed, and end what was forged.
    """
    payload = jwt.decode_token(token, "access")
    key = jwt.session_key_from_sid(payload["sid"]) if payload else None
    if payload is None or not key or not payload["sub"].isdecimal():
        return None
    found = prepared.execute(_SIGNED_IN, [int(payload["sub"]), key, now])
    if not found:
        return None
    ((data, *values),) = found
    user = prepared.made(User, values)
    session = SessionStore().decode(data)
    if (
        user is None
        or not user.is_active
        or session.get(SESSION_KEY) != str(user.pk)
        or session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS
        or not constant_time_compare(
            session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
        )
    ):
        return None
    values = values[len(User._meta.concrete_fields) :]
    member = prepared.made(Member, values)
    if member is not None:
        member.merged_into = prepared.made(Member, values[len(Member._meta.concrete_fields) :])
    return user, member


_SIGNED_IN = f"""
SELECT s.session_data, {prepared.columns(User, of="u")}, {prepared.columns(Member, of="m")},
       {prepared.columns(Member, of="p")}
  FROM django_session s
  JOIN members_user u ON u.id = %s::bigint
  LEFT JOIN members_member m ON m.user_id = u.id
  LEFT JOIN members_member p ON p.id = m.merged_into_id
 WHERE s.session_key = %s::text AND s.expire_date > %s::timestamptz
"""


@transaction.atomic
def forget(*, member: Member) -> None:
    """End every session of the member and delete her user; part of erasing her.

    Somebody of the staff keeps the user that signs in to the admin, but is no member any more.
    """
    user = member.user
    if user is None:
        return
    sign_out_everywhere(user=user)
    Member.objects.filter(pk=member.pk).update(user=None)
    member.user = None
    if user.is_staff:
        return
    try:
        user.delete()
    except ProtectedError:
        # Once of the staff: entries and campaigns say who made them, from now on without a name.
        user.email, user.name, user.is_active = f"erased-{user.pk}@invalid", "", False
        user.save(update_fields=["email", "name", "is_active"])


def sign_out_everywhere(*, user: User) -> None:
    """End all sessions of this user; access and refresh tokens die with them."""
    for session in UserSession.objects.filter(user=user):
        session.end()
