"""What the loyalty floor answers under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from loyalty.api import (
    challenges,
    check_ins,
    interactions,
    me,
    outings,
    places,
    purchases,
    rewards,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/", me.Me.as_view()),
    path("me/card.png", me.Card.as_view()),
    path("me/export/", me.Export.as_view()),
    path("me/points/", me.Points.as_view()),
    path("me/points/entries/", me.Entries.as_view()),
    path("places/", places.Places.as_view()),
    path("places/<str:code>/", places.PlacePage.as_view()),
    path("collections/", places.Collections.as_view()),
    path("collections/<str:slug>/", places.CollectionPage.as_view()),
    path("challenges/", challenges.Challenges.as_view()),
    path("challenges/<str:slug>/join/", challenges.Joinings.as_view()),
    path("check-ins/", check_ins.CheckIns.as_view()),
    path("check-ins/bulk/", check_ins.BulkCheckIns.as_view()),
    path("check-ins/<int:check_in_id>/appeal/", check_ins.Appeals.as_view()),
    path("outings/", outings.Outings.as_view()),
    path("outings/<str:code>/registration/", outings.Registrations.as_view()),
    path("outings/<str:code>/attendance/", outings.Attendance.as_view()),
    path("rewards/", rewards.Rewards.as_view()),
    path("redemptions/", rewards.Redemptions.as_view()),
    path("vouchers/", rewards.Vouchers.as_view()),
    path("vouchers/<str:code>/hold/", rewards.Hold.as_view()),
    path("vouchers/<str:code>/redeem/", rewards.Redeem.as_view()),
    path("vouchers/<str:code>/release/", rewards.Release.as_view()),
    path("interactions/", interactions.Interactions.as_view()),
    path("recommendations/", interactions.Recommendations.as_view()),
    path("purchases/", purchases.Purchases.as_view()),
    path("purchases/<str:reference>/returns/", purchases.Returns.as_view()),
]
