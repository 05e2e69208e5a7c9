"""The staff's door to members. Django finds the admin classes through these imports."""

from django.contrib import admin

from members.admin import (
    api_keys,
    member,
    neighbours,
    records,
    scores,
    setting_up,
    staff,
    surveys,
    today,
    webhooks,
)

__all__ = [
    "api_keys",
    "member",
    "neighbours",
    "records",
    "scores",
    "setting_up",
    "staff",
    "surveys",
    "today",
    "webhooks",
]

admin.site.index_template = "cairn/today.html"
