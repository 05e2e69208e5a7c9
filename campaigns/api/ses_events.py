"""Amazon SES, which tells through SNS: django-anymail's reading of it, without Amazon's library.

Who asks is told by the user and password in the address that SNS was given; Amazon's signature
would say no more, for anybody's topic has one. A subscription is confirmed by a person, with the
address in the log: nothing is fetched because a request says so.
"""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from anymail.webhooks.base import AnymailBaseWebhookView

_SNS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?[\x21-\x7e]{1,2000}")

log = structlog.get_logger(__name__)


class SesTrackingView(AmazonSESTrackingWebhookView):
    def __init__(self, **kwargs: Any) -> None:
        # Past its parent, which prepares to call Amazon.
        AnymailBaseWebhookView.__init__(self, **kwargs)

    def auto_confirm_sns_subscription(self, sns_message: Mapping[str, Any]) -> None:
        url = str(sns_message.get("SubscribeURL"))
        if _SNS.fullmatch(url):
            log.warning("webhook_to_confirm", provider="amazon_ses", open_once=url)

    def esp_to_anymail_events(
        self, ses_event: Mapping[str, Any], sns_message: Mapping[str, Any]
    ) -> list[Any]:
        """As the parent reads them, but for the id: SES puts its own in the place of ours."""
        events: list[Any] = super().esp_to_anymail_events(ses_event, sns_message)
        headers = ses_event.get("mail", {}).get("headers", [])
        ours = next((h["value"] for h in headers if h["name"].lower() == "message-id"), None)
        for event in events:
            event.message_id = ours or event.message_id
        return events
