"""One message over an open SMTP connection, in two round trips where the server takes pipelining
(RFC 2920): who and to whom together, then the text."""

import smtplib
from collections.abc import Iterable
from email.utils import parseaddr

from django.core.mail import EmailMultiAlternatives

from campaigns.channels import mime

type Reply = tuple[int, bytes]

# The commands' places, and the codes that say yes to each.
_RECIPIENT, _TEXT = 1, 2
_YES = ({250}, {250, 251}, {354})


class Line:
    """The connection; whether the text of the last message may have left, for a refusal before that
    is no doubt; and whether the server fell silent."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp
        self.may_have_left = False
        self.is_silent = False

    @property
    def is_closed(self) -> bool:
        return self._smtp.sock is None

    def send(self, mail: EmailMultiAlternatives) -> None:
        """Send a mail to its one recipient.

        Raises what `smtplib` would: `SMTPRecipientsRefused`, `SMTPResponseException`,
        `SMTPServerDisconnected`; and `ValueError` for what cannot be written.
        """
        self.may_have_left = False
        text = mime.written(mail)
        sender, recipient = parseaddr(mail.from_email)[1], parseaddr(mail.to[0])[1]
        self._smtp.ehlo_or_helo_if_needed()
        options = [f"SIZE={len(text)}"] if self._smtp.has_extn("size") else []
        if not recipient.isascii():
            raise ValueError("An address has no such letters.")
        commands = (
            " ".join([f"MAIL FROM:<{sender}>", *options]),
            f"RCPT TO:<{recipient}>",
            "DATA",
        )
        said = self._asked(commands)
        refused = [place for place, reply in enumerate(said) if reply[0] not in _YES[place]]
        if refused:
            self._give_up(said, refused[0], recipient=recipient)
        self.may_have_left = True
        code, answer = self._told(text)
        if code != 250:
            self._reset(code)
            raise smtplib.SMTPDataError(code, answer)

    def _asked(self, commands: Iterable[str]) -> list[Reply]:
        """The replies to these commands, up to the first that says no where they go one by one."""
        lines = [_line(command) for command in commands]
        if self._smtp.has_extn("pipelining"):
            self._smtp.send(b"".join(lines))
            return [self._smtp.getreply() for _ in lines]
        said: list[Reply] = []
        for line in lines:
            self._smtp.send(line)
            said.append(self._smtp.getreply())
            if said[-1][0] not in _YES[len(said) - 1]:
                break
        return said

    def _told(self, text: bytes) -> Reply:
        # A line that begins with a dot gets a second one: a dot alone ends the text.
        dotted = text.replace(b"\r\n.", b"\r\n..")
        try:
            self._smtp.send(dotted + b".\r\n")
            return self._smtp.getreply()
        except smtplib.SMTPServerDisconnected:
            self.is_silent = True
            raise

    def _give_up(self, said: list[Reply], refused: int, *, recipient: str) -> None:
        """Say which command was refused, and leave the connection fit for the next message."""
        if said[-1][0] in _YES[_TEXT] and len(said) > _TEXT:
            # The server waits for a text that is for nobody.
            self._smtp.send(b".\r\n")
            self._smtp.getreply()
        code, answer = said[refused]
        self._reset(code)
        if refused == _RECIPIENT:
            raise smtplib.SMTPRecipientsRefused({recipient: (code, answer)})
        raise smtplib.SMTPResponseException(code, answer)

    def _reset(self, code: int) -> None:
        if code == 421:
            self._smtp.close()
            return
        try:
            self._smtp.rset()
        except smtplib.SMTPServerDisconnected:
            return


def _line(command: str) -> bytes:
    if "\r" in command or "\n" in command:
        raise ValueError("An address is one line.")
    return f"{command}\r\n".encode()
