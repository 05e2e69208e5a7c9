"""What the members floor answers under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from members.api import devices, interests, preferences

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/preferences/", preferences.Preferences.as_view()),
    path("me/interests/", interests.Interests.as_view()),
    path("me/devices/", devices.Devices.as_view()),
]
