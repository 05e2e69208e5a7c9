"""What webhooks are told, for the OpenAPI document, by hand: we call these, nobody calls us."""

from typing import Any

TEXT = {"type": "string"}
POINTS = {
    "points": {"type": "integer", "description": "Change of the available points."},
    "pending": {"type": "integer", "description": "Change of the pending points, if any."},
    "debt": {"type": "integer", "description": "Change of the debt, if any."},
    "balance_after": {"type": "integer"},
    "why": TEXT,
    "rule": {**TEXT, "description": "The earn rule that paid."},
    "purchase": {**TEXT, "description": "The till's own reference."},
}
INTERACTION = {
    **dict.fromkeys(("reference", "sku", "category", "place", "campaign"), TEXT),
    "value": {**TEXT, "description": "A decimal number."},
}
HEADERS = {
    "webhook-id": "The event's; the same at every try: drop one that you know.",
    "webhook-timestamp": "Seconds since 1970. Refuse what is older than five minutes.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` with the"
    " secret's key; several, separated by a space, on the day a secret changes.",
}
ANSWERS = {
    "2XX": "Taken. Any other answer, or none in ten seconds: sent again, nine times in three days.",
    "410": "Never send anything again: the webhook is switched off.",
}


def webhooks() -> dict[str, Any]:
    """Path items by family of events; verified as Standard Webhooks says."""
    return {
        "points": _told("Points of a member moved", "points.earned", POINTS),
        "member": _told("A member was erased: forget them, too", "member.erased", {}),
        "interaction": _told("A member did something", "interaction.check-in", INTERACTION),
    }


def _told(summary: str, example: str, facts: dict[str, Any]) -> dict[str, Any]:
    member = {"member": {**TEXT, "description": "The member's number."}}
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {**TEXT, "examples": [example]},
            "timestamp": {**TEXT, "format": "date-time", "description": "When it happened."},
            "data": {"type": "object", "required": ["member"], "properties": {**member, **facts}},
        },
    }
    headers = [
        {"name": name, "in": "header", "required": True, "description": words, "schema": TEXT}
        for name, words in HEADERS.items()
    ]
    return {
        "post": {
            "summary": summary,
            "parameters": headers,
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {status: {"description": words} for status, words in ANSWERS.items()},
        }
    }
