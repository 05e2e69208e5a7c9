"""Turning a variant and a member into a message.

Facts are read for a whole batch at once, with a constant number of queries; then each message is
rendered in memory. The e-mail's frame is compiled from MJML once per process. Text and HTML say
the same; a picture, where the variant asks for one, is drawn when the mail is opened.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from mjml import mjml2html

from campaigns import filling, particulars, templating, tracking
from campaigns.models import Delivery, Journey, Link, Variant
from campaigns.models.gift import Promise
from loyalty import recommendations
from loyalty.models import Account, Place, Product
from members.models import Address, Channel, Interaction, Member, Programme, Purpose

# A Markdown link, perhaps around a picture; a picture alone is not one: programs fetch it unasked.
_LINK = re.compile(r"(?<!!)\[(?:!\[[^\[\]]*\]\([^()]*\)|[^\[\]])*\]\((https?://[^\s)]+)\)")
_SLOT = re.compile(r"%%(\w+)%%")
# Stands for the address of a link until a message is written: so a variant is compiled once, not
# once for each member.
_MARK = "http://link.invalid/{}/"
_MARKED = re.compile(r"http://link\.invalid/(\d+)/")


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out: `html` is the body only; `email_html` puts it into the e-mail's frame."""

    delivery: Delivery
    member: Member
    subject: str
    text: str
    html: str
    # Where the first link leads, if the template has one; no value may lead anywhere.
    link: str
    has_picture: bool
    programme: Programme

    @property
    def picture_url(self) -> str:
        return tracking.picture_url(self.delivery) if self.has_picture else ""

    @property
    def unsubscribe_url(self) -> str:
        return tracking.unsubscribe_url(self.delivery)

    @property
    def is_marketing(self) -> bool:
        return self.delivery.campaign.purpose == Purpose.MARKETING

    def email_html(self) -> str:
        """The whole HTML part of an e-mail."""
        picture = (
            f'<tr><td><img src="{self.picture_url}" width="600" alt="" style="display:block;'
            'width:100%;height:auto;border-radius:12px 12px 0 0"></td></tr>'
            if self.has_picture
            else ""
        )
        footer = html.escape(self.programme.postal_address)
        if self.is_marketing:
            footer += " " + " &middot; ".join(
                f'<a href="{url}" style="color:#66756d">{words}</a>'
                for words, url in self._ways_out()
            )
        parts = {
            "PREVIEW": html.escape(self.text[:120]),
            "PROGRAMME": html.escape(self.programme.name.upper()),
            "PICTURE": picture,
            "FOOTER": footer,
            "BODY": self.html,
        }
        return _SLOT.sub(lambda slot: parts[slot[1]], _frame())

    def email_text(self) -> str:
        """The whole text part of an e-mail."""
        footer = f"\n\n--\n{self.programme.name} {self.programme.postal_address}".rstrip()
        if self.is_marketing:
            footer += "".join(f"\n{words}: {url}" for words, url in self._ways_out())
        return self.text + footer + "\n"

    def _ways_out(self) -> list[tuple[str, str]]:
        return [
            ("Choose what you get", tracking.preferences_url(self.delivery)),
            ("Stop these messages", self.unsubscribe_url),
        ]


def check(*, subject: str, body: str, pointer: str) -> None:
    """Refuse a variant whose subject or body cannot be rendered; `Invalid` names the place."""
    templating.check_subject(subject, pointer=f"{pointer}/subject")
    templating.check(body, pointer=f"{pointer}/body")


def linked(body: str) -> set[str]:
    """The addresses a body links to."""
    return set(_LINK.findall(body))


def render_batch(
    deliveries: Sequence[Delivery], *, now: datetime
) -> tuple[list[Message], dict[int, str]]:
    """Render deliveries: the messages, and {delivery id: reason} for those that cannot be.

    The deliveries come with `campaign`, `variant` (with its interest), `journey` and `member`.
    """
    values = facts_for(deliveries, now=now)
    links: dict[int, list[Link]] = {}
    for link in Link.objects.filter(variant__in={d.variant_id for d in deliveries}).order_by("pk"):
        links.setdefault(link.variant_id, []).append(link)
    programme = Programme.objects.get()
    messages, failed = [], {}
    for delivery in deliveries:
        variant = delivery.variant
        # Whoever makes the call may follow a link; that must not pass for the member's click.
        is_said = delivery.channel == Channel.PEOPLE
        if variant is None:
            failed[delivery.pk] = "there is no variant for this member"
            continue
        try:
            messages.append(
                render(
                    delivery,
                    variant=variant,
                    values=values[delivery.pk],
                    links=[] if is_said else links.get(variant.pk, []),
                    programme=programme,
                )
            )
        except filling.RenderingFailed as error:
            failed[delivery.pk] = error.detail
    return messages, failed


def render(
    delivery: Delivery,
    *,
    variant: Variant,
    values: Mapping[str, Any],
    links: Sequence[Link],
    programme: Programme,
) -> Message:
    """Render one message; `RenderingFailed` when the template runs into a limit."""
    tracked = {link.url: tracking.click_url(delivery, link) for link in links}
    said = filling.body(_marked(variant.body, tuple(tracked)), values)
    addresses = dict(enumerate(tracked.values()))

    def linked_up(part: str) -> str:
        return _MARKED.sub(lambda mark: addresses.get(int(mark[1]), mark[0]), part)

    first = _LINK.search(variant.body)
    link = tracked.get(first[1], first[1]) if first else ""
    return Message(
        delivery=delivery,
        member=delivery.member,
        subject=filling.line(variant.subject, values),
        text=linked_up(said.text).strip(),
        html=linked_up(said.html),
        link="" if "{" in link else link,
        has_picture=bool(variant.image),
        programme=programme,
    )


@lru_cache(maxsize=256)
def _marked(body: str, urls: tuple[str, ...]) -> str:
    """The body with a mark for each of these addresses it links to."""
    marks = {url: _MARK.format(number) for number, url in enumerate(urls)}
    return _LINK.sub(
        lambda found: found[0].removesuffix(f"{found[1]})") + f"{marks.get(found[1], found[1])})",
        body,
    )


def facts_for(deliveries: Sequence[Delivery], *, now: datetime) -> dict[int, dict[str, Any]]:
    """The values each delivery's template may use, by delivery id."""
    member_ids = [delivery.member_id for delivery in deliveries]
    addresses = Address.objects.in_bulk(member_ids)
    accounts = Account.objects.select_related("tier").in_bulk(member_ids)
    looked_at = recommendations.looked_at(member_ids=member_ids, at=now)
    causes = _causes(deliveries)
    more = particulars.of(
        deliveries, skus={pk: cause.sku for pk, cause in causes.items() if cause.sku}, now=now
    )
    occasions = {
        journey.pk: journey.occasion
        for journey in Journey.objects.filter(
            pk__in=[d.journey_id for d in deliveries], occasion__isnull=False
        ).select_related("occasion")
    }
    programme = Programme.objects.get()
    values = {}
    for delivery in deliveries:
        interest = delivery.variant.interest if delivery.variant else None
        occasion = occasions.get(delivery.journey_id)
        cause = causes.get(delivery.journey_id)
        place, product = (cause.place, cause.product) if cause else (None, None)
        products = [_product(each) for each in looked_at.get(delivery.member_id, [])]
        values[delivery.pk] = {
            "member": _member(
                delivery.member,
                address=addresses.get(delivery.member_id),
                account=accounts.get(delivery.member_id),
            ),
            "programme": {"name": programme.name},
            "interest": {"name": interest.name, "slug": interest.slug} if interest else {},
            "occasion": {"date": occasion.date, "district": occasion.district} if occasion else {},
            "place": {"name": place.name, "story": place.story} if place else {},
            "product": _product(product) if product else next(iter(products), {}),
            "products": products,
            "voucher": _voucher(delivery.promise) if delivery.promise else {},
            "gift": {"points": delivery.step.points} if delivery.step.points else {},
            "cause": cause.values if cause else {},
            **more.get(delivery.pk, {}),
        }
    return values


def _member(member: Member, *, address: Address | None, account: Account | None) -> dict[str, Any]:
    return {
        "given_name": member.given_name,
        "family_name": member.family_name,
        "number": member.number,
        "city": address.city if address else "",
        "region": address.region if address else "",
        "language": member.language,
        "points": account.balance if account else 0,
        "tier": account.tier.name if account and account.tier else "",
    }


def _product(of: Product | recommendations.Suggestion) -> dict[str, Any]:
    return {"name": of.name, "category": of.category, "price": of.price, "currency": of.currency}


def _voucher(promise: Promise) -> dict[str, Any]:
    return {"code": promise.code, "worth": promise.worth, "expires_on": promise.expires_on}


@dataclass(frozen=True, slots=True)
class _Cause:
    """The interaction a journey answers, and the place and product it was about."""

    sku: str
    values: dict[str, Any]
    place: Place | None
    product: Product | None


def _causes(deliveries: Sequence[Delivery]) -> dict[int, _Cause]:
    """What each journey answers, by journey id."""
    ids = [d.journey.interaction_id for d in deliveries if d.journey.interaction_id]
    causes = Interaction.objects.select_related("kind").in_bulk(ids) if ids else {}
    if not causes:
        return {}
    rows = causes.values()
    places = {p.code: p for p in Place.objects.filter(code__in={r.place for r in rows})}
    products = {p.sku: p for p in Product.objects.filter(sku__in={r.sku for r in rows})}
    return {
        delivery.journey_id: _Cause(
            sku=row.sku or "",
            values={
                "name": row.kind.name,
                "category": row.category or "",
                "value": _whole(row.value),
                "date": row.occurred_at.astimezone(ZoneInfo(delivery.member.zone)).date(),
            },
            place=places.get(row.place or ""),
            product=products.get(row.sku or ""),
        )
        for delivery in deliveries
        if (row := causes.get(delivery.journey.interaction_id or 0))
    }


def _whole(value: Decimal | None) -> Decimal | int | None:
    """Points and answers are whole; money has its cents."""
    return int(value) if value is not None and value == value.to_integral_value() else value


@lru_cache(maxsize=1)
def _frame() -> str:
    source = resources.files("campaigns") / "templates" / "campaigns" / "email.mjml"
    return mjml2html(source.read_text(encoding="utf-8"))
