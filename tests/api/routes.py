"""Every write of the API with a body it accepts: what the tests of all of them go through."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Model
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty import (
    checkins,
    community,
    guests,
    outings,
    purchases,
    referrals,
    rewards,
    tender,
)
from loyalty.models import Outing, TillEvent
from members import devices, households
from members.models import ApiKey, Household, Member
from tests import browsers, factories
from tests.factories import PEAK, line

API = "/api/v1"


class Scene:
    """A member with a phone, a shop with a till, and what they talk about."""

    def __init__(self) -> None:
        self.alex: Member = factories.member()

    @cached_property
    def app(self) -> APIClient:
        return factories.app(self.alex)

    @cached_property
    def till(self) -> APIClient:
        return factories.till()

    @cached_property
    def receipt(self) -> str:
        basket = factories.basket(self.alex, line("20", 3, sku="tent"), occurred_at=now())
        purchases.record(basket, now=now())
        return basket.reference

    @cached_property
    def to_pick_up(self) -> str:
        """A receipt of the web whose goods wait in Denver."""
        denver = factories.store("denver")
        basket = factories.basket(self.alex, "20", occurred_at=now(), pickup_store=denver)
        purchases.record(basket, now=now())
        return basket.reference

    @cached_property
    def claim_code(self) -> str:
        basket = factories.guest_basket("20", occurred_at=now())
        return guests.keep(basket, now=now()).code

    @cached_property
    def code(self) -> str:
        factories.grant(self.alex, 100, now=now())
        done = rewards.redeem(member=self.alex, slug=self.reward, now=now())
        return done.code

    @cached_property
    def reward(self) -> str:
        slug: str = factories.reward().slug
        return slug

    @cached_property
    def message(self) -> int:
        return int(factories.inbox_message(self.alex, at=now()).pk)

    @cached_property
    def outing(self) -> Outing:
        return factories.outing(starts_at=now() + timedelta(minutes=30))

    @cached_property
    def device(self) -> int:
        said = devices.register(member=self.alex, token="lost", platform="ios", now=now())
        return int(said.pk)

    @cached_property
    def household(self) -> int:
        """That of somebody who invited the member."""
        kim = factories.member()
        households.invite(member=kim, named=self.alex.number, now=now())
        return int(Household.objects.get(people__member=kim).pk)

    @cached_property
    def redemption(self) -> int:
        done = rewards.redeem(member=self.rich, slug=self.reward, now=now())
        return int(done.redemption.pk)

    @cached_property
    def climb(self) -> str:
        return str(factories.reward("climb", kind="experience").slug)

    @cached_property
    def session(self) -> int:
        """A full one."""
        nine_days = timedelta(days=9)
        return int(factories.session(self.climb, starts_at=now() + nine_days, taken=2).pk)

    @cached_property
    def rich(self) -> Member:
        """The same member with points that pay."""
        factories.points_pay()
        factories.grant(self.alex, 1_000, now=now())
        return self.alex

    @cached_property
    def hold(self) -> str:
        key = ApiKey.objects.first()
        till = key.prefix if key else "another"
        return str(tender.hold(member=self.rich, points=50, till=till, now=now()).pk)

    @cached_property
    def post(self) -> int:
        subject = community.Subject.named(place=self.place)
        return int(community.review(member=self.alex, subject=subject, stars=4, now=now()).pk)

    @cached_property
    def referral_code(self) -> str:
        code: str = referrals.standing(member=self.alex).code
        return code

    @cached_property
    def survey(self) -> str:
        questions = (
            {"key": "score", "kind": "scale"},
            {"key": "loves", "kind": "interest"},
            {"key": "best", "kind": "choice", "options": ["Boots", "Tents"]},
            {"key": "why", "kind": "text"},
        )
        slug: str = factories.survey("feedback", *questions).slug
        return slug

    @cached_property
    def challenge(self) -> str:
        times: dict[str, Any] = {
            "starts_at": now() - timedelta(days=1),
            "ends_at": now() + timedelta(days=9),
        }
        slug: str = factories.challenge(needs_joining=True, **times).slug
        return slug

    @cached_property
    def check_in(self) -> int:
        """A check-in of Alex's that waits for a review."""
        report = checkins.Report(
            **PEAK, accuracy_m=8.5, occurred_at=now(), place=self.place, is_mocked=True
        )
        return int(checkins.check_in(member=self.alex, report=report, now=now()).check_in.pk)

    @cached_property
    def store(self) -> str:
        code: str = factories.store("denver").code
        return code

    @cached_property
    def product(self) -> str:
        sku: str = factories.product("tent").sku
        return sku

    @cached_property
    def place(self) -> str:
        code: str = factories.place(interests=["hiking"]).code
        return code


def now() -> datetime:
    return timezone.now()


def a_minute_ago() -> str:
    return (now() - timedelta(minutes=1)).isoformat()


@dataclass(frozen=True)
class Write:
    """One operation. `by` says who calls it; `body` is None where there is none."""

    method: str
    path: Callable[[Scene], str]
    by: str
    body: Callable[[Scene], dict[str, Any]] | None = None
    status: int = 200
    is_keyed: bool = True
    # Of several things in one body, each may be refused by itself; and where that is kept.
    each: str = ""
    kept_in: type[Model] | None = None

    def client(self, scene: Scene) -> APIClient:
        return scene.app if self.by == "app" else scene.till

    def send(self, scene: Scene, body: Any = ..., **headers: str) -> Any:
        """Send the body it accepts, or another: an object, or raw bytes; the answer."""
        if body is ...:
            body = self.body(scene) if self.body else None
        call = getattr(self.client(scene), self.method.lower())
        options: dict[str, Any] = {"headers": {k.replace("_", "-"): v for k, v in headers.items()}}
        if isinstance(body, bytes):
            options["content_type"] = "application/json"
        elif body is not None:
            options["format"] = "json"
        return call(API + self.path(scene), body, **options)


def at(path: str) -> Callable[[Scene], str]:
    return lambda scene: path


def basket(scene: Scene) -> dict[str, Any]:
    return factories.purchase_body(scene.alex)


def event(scene: Scene, **said: Any) -> dict[str, Any]:
    facts = {"id": "00000000-0000-4000-8000-000000000001", "kind": "purchase"}
    return {**basket(scene), **facts, **said}


def check_in(scene: Scene) -> dict[str, Any]:
    return {
        **PEAK, "accuracy_m": 8.5, "occurred_at": a_minute_ago(), "place": scene.place,
        "mocked": False, "nonce": "n1",
    }  # fmt: skip


def interaction(scene: Scene, **said: Any) -> dict[str, Any]:
    facts = {"kind": "view", "occurred_at": a_minute_ago(), "reference": "i1", "sku": "tent"}
    return {"interactions": [{**facts, "interest": "hiking", "value": "19.90", **said}]}


def count(scene: Scene, **said: Any) -> dict[str, Any]:
    facts = {"store": scene.store, "sku": scene.product, "quantity": 3}
    return {**facts, "counted_at": a_minute_ago(), "expected_on": "2027-04-15", **said}


WRITES = {
    "change profile": Write(
        "PATCH", at("/me/"), "app",
        lambda scene: {
            "given_name": "Kim", "birth_date": "1990-05-04", "time_zone": "Asia/Tokyo",
            "street": "1 Main St", "postal_code": "84101", "country": "US",
        },
    ),
    "erase": Write("DELETE", at("/me/"), "app", status=204, is_keyed=False),
    "change preferences": Write(
        "PATCH", at("/me/preferences/"), "app",
        lambda scene: {
            "channels": {"email": {"marketing": True}}, "preferred_channel": "push",
            "paused_until": None, "topics": {}, "frequency": {"most": 2, "per": "week"},
        },
    ),
    "state interests": Write(
        "PUT", at("/me/interests/"), "app", lambda scene: {"interests": {"hiking": 0.9}}
    ),
    "add device": Write(
        "POST", at("/me/devices/"), "app", lambda scene: {"token": "t", "platform": "ios"}, 201
    ),
    "remove device": Write(
        "DELETE", at("/me/devices/"), "app", lambda scene: {"token": "t"}, 204
    ),
    "add browser": Write(
        "POST", at("/me/devices/"), "app",
        lambda scene: {**browsers.Browser().subscription("b1"), "expirationTime": 4e12}, 201,
    ),
    "remove browser": Write(
        "DELETE", at("/me/devices/"), "app",
        lambda scene: {"endpoint": browsers.Browser().subscription("b1")["endpoint"]}, 204,
    ),
    "remove one device": Write(
        "DELETE", lambda scene: f"/me/devices/{scene.device}/", "app", status=204
    ),
    "invite to household": Write(
        "POST", at("/me/household/"), "app", lambda scene: {"member": "kim@example.com"}, 202
    ),
    "leave household": Write("DELETE", at("/me/household/"), "app", status=204),
    "accept invitation": Write(
        "POST", at("/me/household/invitations/"), "app",
        lambda scene: {"household": scene.household},
    ),
    "refuse invitation": Write(
        "DELETE", lambda scene: f"/me/household/invitations/{scene.household}/", "app",
        status=204,
    ),
    "check in": Write("POST", at("/check-ins/"), "app", check_in, 201),
    "check in later": Write(
        "POST", at("/check-ins/bulk/"), "app", lambda scene: {"check_ins": [check_in(scene)]}
    ),
    "appeal": Write(
        "POST", lambda scene: f"/check-ins/{scene.check_in}/appeal/", "app",
        lambda scene: {"text": "I was there; ask the hut's keeper."}, 201,
    ),
    "join challenge": Write(
        "POST", lambda scene: f"/challenges/{scene.challenge}/join/", "app", status=201
    ),
    "redeem": Write(
        "POST", at("/redemptions/"), "app", lambda scene: {"reward": scene.reward}, 201
    ),
    "cancel redemption": Write(
        "POST", lambda scene: f"/redemptions/{scene.redemption}/cancellation/", "app"
    ),
    "wait for a seat": Write(
        "POST", lambda scene: f"/rewards/{scene.climb}/waiting/", "app",
        lambda scene: {"session": scene.session}, 201,
    ),
    "stop waiting": Write(
        "DELETE", lambda scene: f"/rewards/{scene.climb}/waiting/{scene.session}/", "app",
        status=204,
    ),
    "read message": Write("POST", lambda scene: f"/inbox/{scene.message}/read/", "app"),
    "report own interactions": Write("POST", at("/interactions/"), "app", interaction, 202),
    "report interactions": Write(
        "POST", at("/interactions/"), "till",
        lambda scene: interaction(scene, member=scene.alex.number), 202,
    ),
    "enrol": Write(
        "POST", at("/members/"), "till",
        lambda scene: {
            "email": "new@example.com", "phone": "+14155552671", "given_name": "New",
            "birth_date": "1990-05-04", "time_zone": "Asia/Tokyo", "postal_code": "84101",
            "country": "US", "labels": ["student"], "joined_at": a_minute_ago(),
            "email_opt_in": True, "referred_by": scene.referral_code,
        }, 201,
    ),
    "sign up": Write(
        "POST", lambda scene: f"/outings/{scene.outing.code}/registration/", "app", status=201
    ),
    "sign off": Write(
        "DELETE", lambda scene: f"/outings/{scene.outing.code}/registration/", "app", status=204
    ),
    "attend": Write(
        "POST", lambda scene: f"/outings/{scene.outing.code}/attendance/", "app",
        lambda scene: {"code": outings.code_of(outing=scene.outing, at=now())}, 201,
    ),
    "post review": Write(
        "POST", at("/posts/"), "app",
        lambda scene: {"place": scene.place, "stars": 5, "text": "What a view."}, 201,
    ),
    "take down": Write("DELETE", lambda scene: f"/posts/{scene.post}/", "app", status=204),
    "answer survey": Write(
        "POST", lambda scene: f"/surveys/{scene.survey}/", "app",
        lambda scene: {
            "answers": {"score": 9, "loves": ["hiking"], "best": "Boots", "why": "It rained."},
        }, 201,
    ),
    "buy": Write("POST", at("/purchases/"), "till", basket, 201),
    "return": Write(
        "POST", lambda scene: f"/purchases/{scene.receipt}/returns/", "till",
        lambda scene: {
            "reference": "x1", "occurred_at": a_minute_ago(),
            "lines": [{"sku": "tent", "quantity": 1}],
        }, 201,
    ),
    "buy many": Write(
        "POST", at("/purchases/bulk/"), "till",
        lambda scene: {"purchases": [basket(scene)]}, each="results",
    ),
    "ship": Write(
        "POST", lambda scene: f"/purchases/{scene.receipt}/shipment/", "till",
        lambda scene: {"occurred_at": now().isoformat()},
    ),
    "pick up": Write(
        "POST", lambda scene: f"/purchases/{scene.to_pick_up}/pickup/", "till",
        lambda scene: {"occurred_at": now().isoformat(), "store": "denver"},
    ),
    "count stock": Write("POST", at("/stock/"), "till", lambda scene: {"counts": [count(scene)]}),
    "claim receipt": Write(
        "POST", at("/receipts/claims/"), "app", lambda scene: {"code": scene.claim_code}, 201
    ),
    "sync till": Write(
        "POST", at("/tills/sync/"), "till",
        lambda scene: {"till": "till 1", "events": [event(scene)]},
        each="results", kept_in=TillEvent,
    ),
    "hold voucher": Write("POST", lambda scene: f"/vouchers/{scene.code}/hold/", "till"),
    "redeem voucher": Write("POST", lambda scene: f"/vouchers/{scene.code}/redeem/", "till"),
    "release voucher": Write("POST", lambda scene: f"/vouchers/{scene.code}/release/", "till"),
    "hold points": Write(
        "POST", at("/points/holds/"), "till",
        lambda scene: {"member": scene.rich.number, "points": 50, "minutes": 5}, 201,
    ),
    "let points go": Write("POST", lambda scene: f"/points/holds/{scene.hold}/release/", "till"),
    "allow points": Write(
        "POST", at("/points/allowances/"), "till",
        lambda scene: {"member": scene.rich.number, "points": 50, "hours": 5}, 201,
    ),
}  # fmt: skip
WITH_BODY = {name: write for name, write in WRITES.items() if write.body}


def ready(name: str) -> tuple[Write, Scene]:
    """The write and a scene in which it succeeds."""
    scene = Scene()
    if name == "redeem":
        factories.grant(scene.alex, 100, now=now())
    return WRITES[name], scene
