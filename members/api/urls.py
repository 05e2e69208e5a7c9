"""What the members floor answers under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from members.api import devices, enrolment, interests, preferences

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/preferences/", preferences.Preferences.as_view()),
    path("me/interests/", interests.Interests.as_view()),
    path("me/devices/", devices.Devices.as_view()),
    path("members/", enrolment.Members.as_view()),
    path("members/lookup/", enrolment.Lookup.as_view()),
]
