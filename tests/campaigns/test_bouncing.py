"""What a bounce says about the address; texts as providers and mail servers send them."""

import pytest

from campaigns import bouncing
from members.mailboxes import News

HARD, SOFT = News.HARD, News.SOFT


@pytest.mark.parametrize(
    ("said", "news"),
    [
        ("smtp; 550 5.1.1 The email account that you tried to reach does not exist.", HARD),
        ("550-5.1.1 no such user a1si.4.2.2.1 - gsmtp", HARD),
        ("554 5.1.2 unknown domain", HARD),
        ("556 5.1.10 recipient domain has a null MX", HARD),
        ("550 5.2.1 The account is disabled", HARD),
        ("552 5.2.2 mailbox is full", SOFT),
        ("452 4.2.2 over quota", SOFT),
        ("451 4.4.1 no answer from host", SOFT),
        ("552 5.2.3 message exceeds the maximum", None),
        ("552 5.3.4 message size exceeds fixed limit", None),
        ("554 5.6.0 malformed", None),
        ("550 5.7.1 our system has detected unsolicited mail", None),
        ("421 4.7.0 try again later", None),
        ("550 5.1.8 sender address rejected", None),
        ("550 Requested action not taken: mailbox unavailable, no such user here", HARD),
        ("550 user unknown", HARD),
        ("554 rejected due to spam content", None),
        ("550 blocked by policy, see https://example.com/5.1.1.20", None),
        ("550 something else", SOFT),
        ("", SOFT),
    ],
)
def test_words_of_the_mail_server_decide(said: str, news: News | None) -> None:
    assert bouncing.judge(reason="bounced", said=said, words=()) == news


@pytest.mark.parametrize(
    ("reason", "words", "news"),
    [
        ("bounced", ["HardBounce"], HARD),  # Postmark
        ("bounced", ["SoftBounce"], SOFT),
        ("other", ["VirusNotification"], None),
        ("", ["hard_bounce"], HARD),  # Mandrill
        ("", ["soft_bounce"], SOFT),
        ("bounced", ["Permanent", "General"], HARD),  # Amazon
        ("bounced", ["Transient", "MailboxFull"], SOFT),
        ("bounced", ["Transient", "ContentRejected"], None),
        ("bounced", ["bounce", "blocked"], None),  # SendGrid
        ("bounced", ["user unknown"], HARD),  # Mailjet
        ("invalid", [], HARD),
        ("bounced", ["email.bounced", "Permanent"], HARD),  # Resend
        ("other", ["failed", "espblock"], None),  # Mailgun
        ("bounced", ["failed", "suppress-bounce"], HARD),
        ("spam", ["hard_bounce"], None),
        ("blocked", [], None),
        ("other", [], None),
        ("timed_out", [], SOFT),
    ],
)
def test_words_of_the_provider_decide_where_the_server_was_silent(
    reason: str, words: list[str], news: News | None
) -> None:
    assert bouncing.judge(reason=reason, said="", words=words) == news


@pytest.mark.parametrize("word", ["hard_bounce", "soft_bounce"])
def test_mail_refused_for_what_it_said_is_no_bounce_of_the_address(word: str) -> None:
    said = "550 rejected by our content policy"
    assert bouncing.judge(reason="bounced", said=said, words=[word]) is None


@pytest.mark.parametrize(
    ("code", "said", "is_nobody"),
    [
        (550, "5.1.1 user unknown", True),
        (550, "no such user", True),
        (551, "5.1.6 mailbox has moved", True),
        (450, "4.1.1 unknown", False),
        (550, "5.7.1 rejected by policy", False),
        (550, "no such user, says our spam filter", False),
        (550, "relaying denied", False),
        (552, "5.2.2 full", False),
    ],
)
def test_recipient_refused_at_once_is_nobody_only_if_the_server_says_so(
    code: int, said: str, is_nobody: bool
) -> None:
    assert bouncing.is_nobody(code=code, said=said) == is_nobody
