"""What allauth asks of us: no sign-up over the web, no letter that tells who is a member."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.mail import EmailMessage
from django.http import HttpRequest

from members.models import Programme

# Under names of our own: templates of the same name would lose to allauth's, installed before us.
LETTERS = {"account/email/login_code": "members/email/login_code"}

log = logging.getLogger(__name__)

# Sending takes a second that an unknown address does not cost; waited for, it would tell the two
# apart. At exit Python waits for these threads, so a letter handed over is sent.
POSTMEN = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sign-in-mail")


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        letter = {**context, "email": email, "programme": Programme.objects.get().name}
        template = LETTERS.get(template_prefix, template_prefix)
        POSTMEN.submit(_send, self.render_mail(template, email, letter))


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except Exception:
        log.exception("a sign-in code could not be sent")
