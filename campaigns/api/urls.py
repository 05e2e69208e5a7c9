"""What the campaigns floor answers under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from campaigns.api import inbox, webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("inbox/", inbox.Inbox.as_view()),
    path("inbox/<int:message_id>/read/", inbox.Read.as_view()),
    path("inbox/<int:message_id>/why/", inbox.WhyThis.as_view()),
    path("webhooks/email/<str:provider>/", webhooks.EmailEvents.as_view()),
]
