"""What the members floor answers under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from members.api import devices, household, interests, preferences

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/preferences/", preferences.Preferences.as_view()),
    path("me/interests/", interests.Interests.as_view()),
    path("me/devices/", devices.Devices.as_view()),
    path("me/devices/<int:device_id>/", devices.OneDevice.as_view()),
    path("me/devices/key/", devices.PublicKey.as_view()),
    path("me/household/", household.MyHousehold.as_view()),
    path("me/household/invitations/", household.Answers.as_view()),
    path("me/household/invitations/<int:household_id>/", household.Refusals.as_view()),
]
