"""What an audience can ask of a member.

A condition is one function from its parameters to a Q over members; the validation, the admin's
form and the explanation are read off its signature and docstring. To add one, write it here.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from django.db import models
from django.db.models import F, Func, IntegerField, Q, Sum, Value
from django.db.models.functions import ExtractDay, ExtractMonth

from campaigns import entries, registry
from campaigns.models import Campaign, Journey
from campaigns.registry import EVERYBODY, Condition, Names, OneOf
from loyalty import editions
from loyalty.models import CheckIn, Place, Purchase, PurchaseLine, Tier
from members import consents, regions, scoring
from members.models import (
    Channel,
    Interaction,
    InteractionKind,
    Interest,
    InterestEvidence,
    InterestStatement,
    Member,
    MemberScore,
    Purpose,
    Score,
    Store,
)

REGISTRY: dict[str, Condition] = {}
AnInterest = Annotated[str, Names(Interest)]
AStore = Annotated[str, Names(Store, "code")]
APlace = Annotated[str, Names(Place, "code")]
ATier = Annotated[str, Names(Tier)]
ACampaign = Annotated[str, Names(Campaign, "code")]
AScore = Annotated[str, Names(Score)]
AKind = Annotated[str, Names(InteractionKind)]
AChannel = Annotated[str, OneOf(tuple(Channel.values))]
APurpose = Annotated[str, OneOf(tuple(Purpose.values))]
AStage = Annotated[str, OneOf(tuple(Member.Stage.values))]

condition = partial(registry.condition, registry=REGISTRY)


@condition("consents_to")
def consents_to(*, channel: AChannel, purpose: APurpose = Purpose.MARKETING, at: datetime) -> Q:
    """Members who may be contacted on this channel for this purpose."""
    return consents.allowing(channel=channel, purpose=purpose)


@condition("lives_in")
def lives_in(
    *, country: str, region: str = "", county: str = "", city: str = "", at: datetime
) -> Q:
    """Members whose mailing address lies in this country, state, county or city."""
    country = regions.country_code(country) or country
    where = Q(address__country__iexact=country)
    if region:
        code = regions.region_code(region, country=country)
        where &= Q(address__region__iexact=code or region)
    if county:
        where &= Q(address__county__iexact=county)
    if city:
        where &= Q(address__city__iexact=city)
    return where


@condition("home_store")
def home_store(*, store: AStore, at: datetime) -> Q:
    """Members at home in this store."""
    return Q(home_store__code=store)


@condition("aged")
def aged(*, minimum: int = 0, maximum: int = 150, at: datetime) -> Q:
    """Members between these ages, in completed years; without a birth date: not."""
    return Q(
        birth_date__lte=_years_before(at, minimum),
        birth_date__gt=_years_before(at, maximum + 1),
    )


@condition("birthday_within")
def birthday_within(*, days: int, at: datetime) -> Q:
    """Members whose birthday is today or within so many days."""
    dates = [(at + timedelta(days=n)).date() for n in range(min(days, 366) + 1)]
    numbers = {
        month * 100 + number for day in dates for month, number in entries.anniversary_keys(day)
    }
    month_and_day = ExtractMonth("birth_date") * 100 + ExtractDay("birth_date")
    matching = Member.objects.annotate(_md=month_and_day).filter(_md__in=sorted(numbers))
    return Q(pk__in=matching.values("pk"))


@condition("joined_within")
def joined_within(*, days: int, at: datetime) -> Q:
    """Members who joined within the last so many days."""
    return Q(joined_at__gt=at - timedelta(days=days), joined_at__lte=at)


@condition("joined_before")
def joined_before(*, days: int, at: datetime) -> Q:
    """Members who have been with us for at least so many days."""
    return Q(joined_at__lte=at - timedelta(days=days))


@condition("labelled")
def labelled(*, label: str, at: datetime) -> Q:
    """Members whom staff gave this label, for example student."""
    return Q(labels__contains=[label])


@condition("stage_is")
def stage_is(*, stage: AStage, at: datetime) -> Q:
    """Members in this stage of their life with us."""
    return Q(stage=stage)


@condition("interest_above")
def interest_above(*, interest: AnInterest, score: float, at: datetime) -> Q:
    """Members whose score for the interest is at least this (0 to 1); their own word counts."""
    stated = InterestStatement.objects.filter(interest__slug=interest)
    threshold = scoring.mass_for(score=min(max(score, 0.0), 0.999_999))
    inferred = (
        InterestEvidence.objects.filter(interest__slug=interest)
        .masses(at=at)
        .filter(Q(total__gte=threshold))
    )
    return Q(pk__in=stated.filter(level__gte=score).values("member_id")) | (
        Q(pk__in=inferred.values("member_id")) & ~Q(pk__in=stated.values("member_id"))
    )


@condition("score_above")
def score_above(*, score: AScore, value: int, at: datetime) -> Q:
    """Members with at least so many points in this lead score, rounded as their page shows it."""
    rows = MemberScore.objects.filter(score__slug=score).weighed(at=at)
    brink = scoring.points_for(whole=value)
    if value > 0:
        return Q(pk__in=rows.filter(Q(weighed__gte=brink)).values("member_id"))
    return ~Q(pk__in=rows.filter(Q(weighed__lt=brink)).values("member_id"))


@condition("bought_within")
def bought_within(
    *, days: int, category: str = "", sku: str = "", interest: AnInterest = "", at: datetime
) -> Q:
    """Members who bought within the last so many days (of a category, product or interest)."""
    lines = PurchaseLine.objects.filter(
        purchase__occurred_at__gt=at - timedelta(days=days), purchase__occurred_at__lte=at
    )
    if category:
        lines = lines.filter(category=category)
    if sku:
        lines = lines.filter(sku=sku)
    if interest:
        lines = lines.filter(Q(product__interests__slug=interest) | Q(category=interest))
    return Q(pk__in=lines.values("purchase__member_id"))


@condition("bought_through")
def bought_through(*, channel: str, days: int, at: datetime) -> Q:
    """Members who bought within the last so many days this way: store, web, app."""
    rows = Purchase.objects.filter(
        channel=channel, occurred_at__gt=at - timedelta(days=days), occurred_at__lte=at
    )
    return Q(pk__in=rows.values("member_id"))


@condition("owns_former_edition")
def owns_former_edition(*, days: int, category: str = "", at: datetime) -> Q:
    """Members who own an edition of a product and no later one, while the next came out within
    the last so many days (of a category)."""
    return Q(pk__in=editions.owners_of_former(days=days, category=category, at=at))


@condition("not_bought_for")
def not_bought_for(*, days: int, at: datetime) -> Q:
    """Members who once bought, but not within the last so many days."""
    since = Q(purchases__occurred_at__gt=at - timedelta(days=days))
    bought = Member.objects.filter(purchases__occurred_at__lte=at)
    return Q(pk__in=bought.values("pk")) & ~Q(pk__in=Member.objects.filter(since).values("pk"))


@condition("spent_at_least")
def spent_at_least(*, amount: Decimal, days: int, at: datetime) -> Q:
    """Members whose purchases of the last so many days add up to at least this."""
    if amount <= 0:
        return EVERYBODY
    totals = (
        Member.objects.filter(
            purchases__occurred_at__gt=at - timedelta(days=days), purchases__occurred_at__lte=at
        )
        .annotate(spent=Sum("purchases__total"))
        .filter(spent__gte=amount)
    )
    return Q(pk__in=totals.values("pk"))


@condition("viewed_within")
def viewed_within(*, days: int, category: str = "", sku: str = "", at: datetime) -> Q:
    """Members who looked at something within the last so many days."""
    return _did("view", days=days, at=at, category=category, sku=sku)


@condition("did_within")
def did_within(*, kind: AKind, days: int, times: int = 1, at: datetime) -> Q:
    """Members with so many interactions of a kind within the last so many days."""
    return _did(kind, days=days, at=at, times=times)


@condition("checked_in_at")
def checked_in_at(*, place: APlace = "", days: int = 3650, at: datetime) -> Q:
    """Members who checked in (at this place) within the last so many days."""
    rows = CheckIn.objects.filter(
        status=CheckIn.Status.AWARDED,
        occurred_at__gt=at - timedelta(days=days),
        occurred_at__lte=at,
    )
    if place:
        rows = rows.filter(place__code=place)
    return Q(pk__in=rows.values("member_id"))


@condition("points_at_least")
def points_at_least(*, points: int, at: datetime) -> Q:
    """Members with at least so many available points."""
    return Q(account__balance__gte=points) if points > 0 else EVERYBODY


@condition("tier_is")
def tier_is(*, tier: ATier, at: datetime) -> Q:
    """Members who hold this tier."""
    return Q(account__tier__slug=tier)


@condition("in_campaign")
def in_campaign(*, campaign: ACampaign, days: int = 3650, at: datetime) -> Q:
    """Members who entered this campaign within the last so many days, treated or held out."""
    rows = Journey.objects.filter(
        campaign__code=campaign, entered_at__gt=at - timedelta(days=days), entered_at__lte=at
    )
    return Q(pk__in=rows.values("member_id"))


@condition("random_sample")
def random_sample(*, percent: float, seed: str = "", at: datetime) -> Q:
    """A fixed random part of all members; the same seed gives the same members."""
    bucket = Func(
        Value(f"sample:{seed}:"),
        F("pk"),
        template="mod(('x' || substr(md5(%(expressions)s), 1, 8))::bit(32)::bigint, 10000)",
        arg_joiner=" || ",
        output_field=IntegerField(),
    )
    chosen = Member.objects.annotate(_bucket=bucket).filter(_bucket__lt=round(percent * 100))
    return Q(pk__in=chosen.values("pk"))


def _did(
    kind: str, *, days: int, at: datetime, times: int = 1, category: str = "", sku: str = ""
) -> Q:
    rows = Interaction.objects.filter(
        kind__slug=kind, occurred_at__gt=at - timedelta(days=days), occurred_at__lte=at
    )
    if category:
        rows = rows.filter(category=category)
    if sku:
        rows = rows.filter(sku=sku)
    if times > 1:
        counted = rows.order_by().values("member_id").annotate(n=models.Count("pk"))
        return Q(pk__in=counted.filter(n__gte=times).values("member_id"))
    return Q(pk__in=rows.values("member_id"))


def _years_before(at: datetime, years: int) -> Any:
    day = at.date()
    years = min(years, day.year - 1)
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)
