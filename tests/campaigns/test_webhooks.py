"""The mail providers' door: who may tell, in whose format, and what is no telling at all."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.settings import api_settings

from campaigns.models import Delivery, Engagement
from members import consents
from members.models import Mailbox
from tests import factories
from tests.campaigns import scenes

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:.*dropped official support"),
]

PASSWORD = "hook:a-long-secret"
BASIC = {"Authorization": "Basic " + base64.b64encode(PASSWORD.encode()).decode()}
SIGNING_KEY = "mailgun-signing-key"
URL = "/api/v1/webhooks/email/"


@pytest.fixture(autouse=True)
def _set_up(settings: Any) -> None:
    cache.clear()
    settings.EMAIL_WEBHOOKS = ["postmark", "mailgun", "sendgrid", "mandrill", "brevo", "mailjet"]
    settings.ANYMAIL = {"WEBHOOK_SECRET": PASSWORD, "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY}


@pytest.fixture
def sent() -> Delivery:
    """A mail that went to Alex."""
    member = scenes.reader(email="alex@example.com")
    scenes.planned()
    scenes.send()
    Delivery.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    return scenes.delivery(member)


def tell(provider: str, body: Any, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = headers.pop("content_type", "application/json")
    return Client().post(f"{URL}{provider}/", raw, content_type=kind, headers=headers)


def postmark(body: Any, **headers: str) -> Any:
    return tell("postmark", body, **(headers or BASIC))


def a_while_ago(minutes: int = 5) -> str:
    return (timezone.now() - timedelta(minutes=minutes)).isoformat()


def bounce(of: Delivery | None = None, **said: Any) -> dict[str, Any]:
    """As Postmark tells it."""
    return {
        "RecordType": "Bounce",
        "ID": 42,
        "Type": "HardBounce",
        "Email": "alex@example.com",
        "BouncedAt": a_while_ago(),
        "Details": "smtp;550 5.1.1 no such user",
        "Metadata": {"delivery": str(of.pk)} if of else {},
        **said,
    }


def facts() -> list[tuple[int, str]]:
    return list(Engagement.objects.order_by("pk").values_list("delivery", "kind"))


def problem(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# --- Who may tell -------------------------------------------------------------------------------
def test_provider_with_the_password_is_heard(sent: Delivery) -> None:
    answer = postmark(bounce(sent))
    assert (answer.status_code, answer.json()) == (200, {"recorded": 1})
    assert facts() == [(sent.pk, "bounced")]
    assert Mailbox.objects.get().unreachable_since is not None


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "y"},
        {"Authorization": "Basic " + base64.b64encode(b"hook:guess").decode()},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic"},
    ],
    ids=str,
)
def test_forged_event_is_refused(headers: dict[str, str], sent: Delivery) -> None:
    assert problem(postmark(bounce(sent), **headers)) == (403, "forged")
    assert (facts(), Mailbox.objects.count()) == ([], 0)


@pytest.mark.parametrize("provider", ["sparkpost", "nobody", "amazon_ses", "..", "%00", "POSTMARK"])
def test_provider_this_shop_does_not_use_is_not_found(provider: str) -> None:
    assert problem(tell(provider, bounce(), **BASIC)) == (404, "not_found")


@pytest.mark.parametrize("provider", ["postmark", "brevo", "mandrill", "mailgun", "sendgrid"])
def test_provider_that_could_not_be_checked_is_not_set_up(provider: str, settings: Any) -> None:
    settings.ANYMAIL = {}
    assert problem(tell(provider, bounce(), **BASIC)) == (404, "not_found")


def test_provider_that_signs_needs_its_key_beside_the_password() -> None:
    assert problem(tell("mandrill", bounce(), **BASIC)) == (404, "not_found")


def test_key_that_is_none_is_not_set_up(settings: Any) -> None:
    settings.ANYMAIL = {"SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": "no key"}
    assert problem(tell("sendgrid", [], **BASIC)) == (404, "not_found")


def test_token_of_a_member_or_a_till_opens_nothing() -> None:
    alex = factories.member()
    for client in (factories.app(alex), factories.till()):
        answer = client.post(f"{URL}postmark/", bounce(), format="json")
        assert answer.status_code == 403


def test_provider_may_ask_whether_anybody_is_here() -> None:
    assert Client().head(f"{URL}mandrill/").status_code == 200
    assert Client().head(f"{URL}sparkpost/").status_code == 404
    assert Client().get(f"{URL}postmark/").status_code == 405


# --- In whose format ----------------------------------------------------------------------------
def signed(
    data: dict[str, Any], *, key: str = SIGNING_KEY, token: str = "t1", age_s: int = 0
) -> dict[str, Any]:
    """As Mailgun signs."""
    stamp = str(int(time.time()) - age_s)
    digest = hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"token": token, "timestamp": stamp, "signature": digest},
        "event-data": {"timestamp": time.time() - 60, "recipient": "alex@example.com", **data},
    }


def test_mailgun_is_known_by_its_signature(sent: Delivery) -> None:
    opened = {"event": "opened", "user-variables": {"delivery": sent.pk}}
    agent = {"client-info": {"user-agent": "Mozilla/5.0", "bot": ""}}
    machine = {"client-info": {"user-agent": "Mozilla/5.0", "bot": "apple"}}
    assert tell("mailgun", signed(opened | agent), **BASIC).status_code == 200
    assert tell("mailgun", signed(opened | machine, token="t2"), **BASIC).status_code == 200
    assert list(Engagement.objects.order_by("pk").values_list("human_percent", flat=True)) == [
        60,
        0,
    ]
    forged = tell("mailgun", signed(opened, key="guess"), **BASIC)
    assert problem(forged) == (403, "forged")
    assert len(facts()) == 2


def test_old_signature_of_mailgun_is_refused(sent: Delivery) -> None:
    opened = {"event": "opened", "user-variables": {"delivery": sent.pk}}
    assert problem(tell("mailgun", signed(opened, age_s=301), **BASIC)) == (403, "forged")


def test_signature_of_mailgun_is_good_for_one_body(sent: Delivery) -> None:
    """It covers a moment and a token, and not what is said."""
    body = signed({"event": "opened", "user-variables": {"delivery": sent.pk}})
    assert tell("mailgun", body, **BASIC).status_code == 200
    forged = {**body, "event-data": {**body["event-data"], "event": "complained"}}
    assert problem(tell("mailgun", forged, **BASIC)) == (403, "forged")
    assert tell("mailgun", body, **BASIC).status_code == 200


@pytest.mark.parametrize(
    "anymail",
    [
        {"MAILGUN_WEBHOOK_SIGNING_KEY": "", "WEBHOOK_SECRET": "a:b"},
        {"MAILGUN_WEBHOOK_SIGNING_KEY": "key", "WEBHOOK_SECRET": ":"},
    ],
)
def test_empty_key_is_none(anymail: dict[str, str], settings: Any) -> None:
    settings.ANYMAIL = anymail
    assert problem(tell("mailgun", signed({"event": "opened"}, key=""), **BASIC))[0] == 404


def test_words_of_a_bounce_are_kept_without_addresses(sent: Delivery) -> None:
    said = bounce(sent, Description="550 5.1.1 <someone@example.com> no such user")
    postmark(said)
    assert "@" not in Mailbox.objects.get().said


def test_mail_sent_by_plain_smtp_is_known_by_its_message_id(sent: Delivery) -> None:
    message = {"headers": {"message-id": f"delivery-{sent.pk}@localhost"}}
    tell("mailgun", signed({"event": "delivered", "message": message}), **BASIC)
    assert facts() == [(sent.pk, "delivered")]


def test_sendgrid_is_known_by_its_signature_and_tells_many(sent: Delivery, settings: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    settings.ANYMAIL = {
        "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": base64.b64encode(public).decode()
    }
    base = {
        "email": "alex@example.com",
        "timestamp": int(time.time()) - 60,
        "delivery": str(sent.pk),
    }
    body = json.dumps(
        [
            {**base, "event": "delivered", "sg_event_id": "1"},
            {**base, "event": "open", "sg_event_id": "2", "sg_machine_open": True},
            {**base, "event": "processed", "sg_event_id": "3"},
            {**base, "event": "bounce", "type": "blocked", "sg_event_id": "4", "reason": "spam"},
            {**base, "event": "dropped", "reason": "Bounced Address", "sg_event_id": "5"},
        ]
    ).encode()
    signature = key.sign(b"17" + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": "17",
    }
    assert tell("sendgrid", body, **headers).json() == {"recorded": 4}
    rows = Engagement.objects.order_by("at", "pk").values_list("kind", "human_percent")
    assert sorted(rows) == [
        ("bounced", 100), ("bounced", 100), ("delivered", 100), ("opened", 0),
    ]  # fmt: skip
    assert Mailbox.objects.get().hard_at is not None  # It is on SendGrid's own list.
    other = body.replace(b"delivered", b"open")
    assert problem(tell("sendgrid", other, **headers)) == (403, "forged")


def test_mandrill_sends_a_form(sent: Delivery, settings: Any) -> None:
    settings.ANYMAIL = {"MANDRILL_WEBHOOK_KEY": "key", "MANDRILL_WEBHOOK_URL": "https://x.example/"}
    events = [
        {"event": "spam", "ts": int(time.time()), "_id": "1",
         "msg": {"email": "alex@example.com", "metadata": {"delivery": sent.pk}}},
    ]  # fmt: skip
    said = json.dumps(events)
    text = f"https://x.example/mandrill_events{said}"
    digest = base64.b64encode(hmac.new(b"key", text.encode(), hashlib.sha1).digest()).decode()
    answer = Client().post(
        f"{URL}mandrill/", {"mandrill_events": said}, headers={"X-Mandrill-Signature": digest}
    )
    assert answer.json() == {"recorded": 1}
    assert not consents.preferences(member=sent.member)["email"]["marketing"]


@pytest.mark.parametrize(
    ("said", "is_unreachable"),
    [
        ({"event": "hard_bounce"}, True),
        ({"event": "soft_bounce"}, False),
        ({"event": "invalid_email"}, True),
        ({"event": "blocked"}, False),
        ({"event": "hard_bounce", "reason": "550 5.7.1 policy"}, False),
    ],
    ids=str,
)
def test_brevo_has_words_of_its_own_for_a_bounce(
    said: dict[str, str], is_unreachable: bool, sent: Delivery
) -> None:
    body = {"email": "alex@example.com", "ts_epoch": int(time.time() * 1000) - 1000, **said}
    tell("brevo", body, **BASIC)
    found = Mailbox.objects.filter(unreachable_since__isnull=False).exists()
    assert found == is_unreachable


def test_mailjet_sends_a_list(sent: Delivery) -> None:
    full = {"event": "bounce", "email": "alex@example.com", "hard_bounce": False,
            "error": "quota exceeded", "Payload": json.dumps({"delivery": sent.pk})}  # fmt: skip
    now = int(time.time())
    answer = tell("mailjet", [{**full, "time": now - n} for n in range(5)], **BASIC)
    assert answer.json() == {"recorded": 5}
    assert Mailbox.objects.get().unreachable_since is not None


def ses(kind: str = "Notification", *, headers: Any = None, **said: Any) -> Any:
    """As SNS posts it: JSON in JSON, called text."""
    body = {"Type": kind, "MessageId": "sns-1", "Timestamp": a_while_ago(), **said}
    about = {"X-Amz-Sns-Message-Type": kind, "X-Amz-Sns-Message-Id": "sns-1"}
    about |= BASIC if headers is None else headers
    return tell("amazon_ses", body, content_type="text/plain; charset=UTF-8", **about)


@pytest.fixture
def through_ses(settings: Any) -> None:
    settings.EMAIL_WEBHOOKS = ["amazon_ses"]


def ses_bounce(of: Delivery, **said: Any) -> str:
    """What SES tells of a mail that went out by SMTP: its own id, and our headers as they were."""
    recipient = {"emailAddress": "alex@example.com", "diagnosticCode": "smtp; 550 5.1.1 nobody"}
    bounce: dict[str, Any] = {"bounceType": "Permanent", "bounceSubType": "General"}
    mail = {
        "messageId": "0100018f-ses",
        "destination": ["alex@example.com"],
        "headers": [{"name": "Message-ID", "value": f"<delivery-{of.pk}@localhost>"}],
    }
    bounce |= {"bouncedRecipients": [recipient], **said}
    return json.dumps({"eventType": "Bounce", "mail": mail, "bounce": bounce})


@pytest.mark.usefixtures("through_ses")
def test_ses_tells_through_sns(sent: Delivery) -> None:
    answer = ses(Message=ses_bounce(sent))
    assert (answer.status_code, answer.json()) == (200, {"recorded": 1})
    assert ses(Message=ses_bounce(sent)).json() == {"recorded": 0}
    assert facts() == [(sent.pk, "bounced")]
    assert Mailbox.objects.get().unreachable_since is not None


@pytest.mark.usefixtures("through_ses")
def test_sns_is_asked_for_its_password_before_it_says_it(sent: Delivery) -> None:
    unasked = ses(Message=ses_bounce(sent), headers={})
    assert (problem(unasked), unasked["WWW-Authenticate"]) == (
        (401, "not_authenticated"), 'Basic realm="events"',
    )  # fmt: skip
    wrong = {"Authorization": "Basic " + base64.b64encode(b"hook:guess").decode()}
    assert problem(ses(Message=ses_bounce(sent), headers=wrong)) == (403, "forged")
    assert facts() == []


@pytest.mark.usefixtures("through_ses")
@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1", True),
        ("https://sns.evil.example/?Action=ConfirmSubscription", False),
        ("https://sns.eu-west-1.amazonaws.com@evil.example/?x", False),
        (None, False),
    ],
)
def test_subscription_to_sns_is_confirmed_by_a_person(
    url: str | None, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ses("SubscriptionConfirmation", SubscribeURL=url, Token="1", TopicArn="arn")
    assert answer.json() == {"recorded": 0}
    assert ("webhook_to_confirm" in capsys.readouterr().out) is is_told


@pytest.mark.usefixtures("through_ses")
@pytest.mark.parametrize("message", [None, 5, "{", "[]", '"x"', '{"eventType": "Bounce"}'])
def test_what_ses_never_sends_is_the_callers_mistake(message: Any) -> None:
    assert problem(ses(Message=message)) == (400, "invalid")


# --- Twice, late, wrong -------------------------------------------------------------------------
def test_event_told_again_is_answered_and_changes_nothing(sent: Delivery) -> None:
    said = bounce(sent)
    assert [postmark(said).json()["recorded"] for _ in range(3)] == [1, 0, 0]
    click = {"RecordType": "Click", "Recipient": "alex@example.com", "ReceivedAt": a_while_ago(),
             "Metadata": {"delivery": str(sent.pk)}, "UserAgent": "Mozilla/5.0"}  # fmt: skip
    assert [postmark(click).json()["recorded"] for _ in range(3)] == [1, 0, 0]


def test_unsubscription_told_again_does_not_undo_a_new_yes(sent: Delivery) -> None:
    stop = {"RecordType": "SubscriptionChange", "Recipient": "alex@example.com",
            "ChangedAt": a_while_ago(), "SuppressSending": True,
            "SuppressionReason": "ManualSuppression", "Metadata": {}}  # fmt: skip
    postmark(stop)
    assert not consents.preferences(member=sent.member)["email"]["marketing"]
    scenes.decide(sent.member, "email", "granted", at=timezone.now())
    postmark(stop)
    assert consents.preferences(member=sent.member)["email"]["marketing"]


@pytest.mark.parametrize(
    "metadata",
    [{"delivery": "0"}, {"delivery": "9" * 18}, {"delivery": "9" * 40}, {"delivery": "-1"},
     {"delivery": "x"}, {"delivery": None}, {"delivery": {"a": 1}}, {"delivery": True}, {}],
    ids=str,
)  # fmt: skip
def test_event_of_an_unknown_delivery_is_no_fact(metadata: dict[str, Any], sent: Delivery) -> None:
    answer = postmark(bounce(Metadata=metadata))
    assert (answer.status_code, answer.json()) == (200, {"recorded": 0})
    assert facts() == []


def test_delivery_of_another_channel_is_no_mail() -> None:
    message = factories.inbox_message(factories.member())
    assert postmark(bounce(message.delivery)).json() == {"recorded": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b"a=1&b=2", b"[" * 20_000,
        b'{"a":' * 20_000, b'{"RecordType": {}}', b'{"RecordType": "Bounce", "Type": []}',
        b'{"RecordType": "Inbound"}', b'{"RecordType": "Delivery", "DeliveredAt": 5}',
        b'{"RecordType": "Delivery", "DeliveredAt": "2026-13-45T00:00:00Z"}',
        b'{"RecordType": "Delivery", "Metadata": []}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)  # fmt: skip
def test_body_that_cannot_be_read_is_the_callers_mistake(body: bytes) -> None:
    assert problem(postmark(body)) == (400, "invalid")


def test_body_that_is_too_large_is_refused() -> None:
    assert problem(postmark(b'{"a": "' + b"x" * 2_000_000 + b'"}')) == (413, "too_large")


def test_too_many_events_at_once_are_refused() -> None:
    many = [{"event": "sent"}] * 10_001
    assert problem(tell("mailjet", many, **BASIC)) == (400, "invalid")


@pytest.mark.parametrize(
    "said",
    [
        {"Email": "alex\x00@example.com"},
        {"Email": "\ud800@example.com"},
        {"Email": ["alex@example.com"]},
        {"Email": "x" * 5_000 + "@example.com"},
        {"Details": "\x00\ud800" * 500},
        {"Details": {"a": 1}},
        {"BouncedAt": "0001-01-01T00:00:00+14:00"},
        {"BouncedAt": "9999-12-31T23:59:59-12:00"},
        {"BouncedAt": "2026-01-01T00:00:00"},
        {"ID": {"a": ["b"]}},
        {"ID": "\ud800"},
        {"MessageID": 5},
    ],
    ids=ascii,
)
def test_strange_values_are_taken_or_left_but_never_break(
    said: dict[str, Any], sent: Delivery
) -> None:
    answer = postmark(bounce(sent, **said))
    assert (answer.status_code, answer.json()) == (200, {"recorded": 1})


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=9)
NAMES = st.sampled_from(
    ["RecordType", "Type", "Email", "BouncedAt", "Metadata", "delivery", "event", "email", "time",
     "Payload", "error", "ID", "signature", "event-data", "timestamp", "ts_epoch", "a"]
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=12,
)
KINDS = st.fixed_dictionaries(
    {},
    optional={
        "RecordType": st.sampled_from(["Bounce", "Click", "Delivery", "SpamComplaint", "Open"]),
        "event": st.sampled_from(["bounce", "click", "open", "delivered", "spam", "hard_bounce"]),
    },
)


@pytest.mark.parametrize("provider", ["postmark", "brevo", "mailjet", "mailgun"])
def test_whatever_a_provider_that_signs_may_say_never_breaks(provider: str, sent: Delivery) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(said=ANYTHING, kind=KINDS)
    def ask(said: Any, kind: dict[str, str]) -> None:
        cache.clear()
        body = {**said, **kind} if isinstance(said, dict) else said
        if provider == "mailgun" and isinstance(body, dict):
            body = signed(body)
        with factories.undone():
            answer = tell(provider, body, **BASIC)
        assert answer.status_code in {200, 400, 403}, answer.content

    ask()


def test_providers_have_a_rate_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # A campaign's events come from few addresses: the 300 a minute of strangers would be too few.
    rates: dict[str, Any] = dict(api_settings.DEFAULT_THROTTLE_RATES or {})
    assert (rates["address"], rates["provider"]) == ("300/m", "6000/m")
    for kind, rate in (("address", "3/m"), ("provider", "8/m")):
        monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES or {}, kind, rate)
    assert [postmark(bounce(ID=n)).status_code for n in range(8)] == [200] * 8
