"""What a campaign of the gallery needs: rows that any brand can have are made, others are named.

A need is written `survey:your-purchase`, or `desk` where any will do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from campaigns.models import Desk, Occasion
from loyalty import earn_rules
from loyalty.models import EarnRule, Product
from members import lead_scores
from members.models import InteractionKind, Question, Score, ScoreRule, Store, Survey, User


@dataclass(frozen=True, slots=True)
class Need:
    """`words` name it, `how` says what to do about it; adopting makes it where `is_made`, and is
    refused without it where `is_blocking`. `permission` is that of making it by hand."""

    kind: str
    slug: str
    words: str
    how: str
    is_there: bool
    is_made: bool = False
    is_blocking: bool = False
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Here:
    """What this brand has, by kind."""

    slugs: Mapping[str, frozenset[str]]

    def has(self, kind: str, slug: str) -> bool:
        return slug in self.slugs[kind] if slug else bool(self.slugs[kind])


def here() -> Here:
    """Look up what there is; one query a kind."""
    rules = dict(EarnRule.objects.order_by("is_published").values_list("slug", "is_published"))
    open_desks = Desk.objects.filter(is_open=True)
    followed = Product.objects.exclude(family="").filter(released_on__isnull=False)
    return Here(
        {
            "survey": frozenset(Survey.objects.values_list("slug", flat=True)),
            "score": frozenset(Score.objects.values_list("slug", flat=True)),
            "rule": frozenset(slug for slug, is_published in rules.items() if is_published),
            "draft": frozenset(rules),
            "occasion": frozenset(
                Occasion.objects.order_by().values_list("occasion", flat=True).distinct()
            ),
            "desk": frozenset(map(str, open_desks.values_list("pk", flat=True)[:1])),
            "stores": frozenset(Store.objects.order_by().values_list("code", flat=True)[:1]),
            "editions": frozenset(followed.order_by().values_list("sku", flat=True)[:1]),
        }
    )


def read(word: str, *, here: Here) -> Need:
    """The need of this word, as things are."""
    kind, _, slug = word.partition(":")
    is_there = here.has(kind, slug)
    match kind:
        case "survey":
            title = _rows()["surveys"][slug]["title"]
            words, permission = f"the survey “{title}”", "members.add_survey"
        case "score":
            name = _rows()["scores"][slug]["name"]
            words, permission = f"the lead score “{name}”", "members.add_score"
        case "rule" if slug in _rows()["rules"] and (is_there or not here.has("draft", slug)):
            said = _rows()["rules"][slug]
            cap = f"{said['points']} points each time, {said['member_cap']} a year at most"
            words = f"the earn rule “{said['name']}” ({cap})"
            permission = "loyalty.add_earnrule"
        case _:
            return _brought(kind, slug, is_there=is_there)
    return Need(kind, slug, words, "", is_there, is_made=True, permission=permission)


def make(need: Need, *, by: User | None, now: datetime) -> None:
    """Make the rows of a need that can be made."""
    match need.kind:
        case "survey":
            _ask(need.slug, _rows()["surveys"][need.slug])
        case "score":
            _count(need.slug, _rows()["scores"][need.slug], now=now)
        case "rule":
            rule = EarnRule(slug=need.slug, **_rows()["rules"][need.slug])
            earn_rules.introduce(rule=rule, by=by, now=now)


def _brought(kind: str, slug: str, *, is_there: bool) -> Need:
    """What only the brand can bring."""
    match kind:
        case "occasion":
            name = slug.replace("-", " ")
            words = f"a calendar of {name}"
            how = (
                f"No dates of {name} are known: load them first, under Campaigns, Occasions or"
                f" with `manage.py load occasions FILE` (occasion: {slug})."
            )
            return Need(kind, slug, words, how, is_there, is_blocking=True)
        case "rule":
            how = f"The earn rule “{slug}” gives nothing yet: publish it under Loyalty, Earn rules."
            return Need(kind, slug, f"the earn rule “{slug}”", how, is_there)
        case "desk":
            how = "Nobody takes calls yet: open a desk under Campaigns, Desks."
            return Need(kind, slug, "a desk that takes calls", how, is_there)
        case "stores":
            how = "No store is known: add them under Settings, Stores."
            return Need(kind, slug, "stores", how, is_there)
        case _:
            how = "No product has a family and a date of release: load them with the products."
            return Need(kind, slug, "products with editions", how, is_there)


def _ask(slug: str, said: Mapping[str, Any]) -> None:
    fields = {key: value for key, value in said.items() if key != "questions"}
    survey = Survey.objects.create(slug=slug, **fields)
    Question.objects.bulk_create(
        Question(survey=survey, position=position, **question)
        for position, question in enumerate(said["questions"], start=1)
    )


def _count(slug: str, said: Mapping[str, Any], *, now: datetime) -> None:
    fields = {key: value for key, value in said.items() if key != "rules"}
    score = Score.objects.create(slug=slug, **fields)
    kinds = {kind.slug: kind for kind in InteractionKind.objects.filter(slug__in=said["rules"])}
    ScoreRule.objects.bulk_create(
        ScoreRule(score=score, kind=kinds[name], points=points)
        for name, points in said["rules"].items()
        if name in kinds
    )
    lead_scores.begin(score=score, now=now)


@cache
def _rows() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files("campaigns.gallery") / "rows.json"
    found: dict[str, Any] = json.loads(text.read_text(encoding="utf-8"))
    return found
