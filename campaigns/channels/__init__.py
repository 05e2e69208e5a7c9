"""Ways to reach a member: one small file each, behind one verb.

A channel sends a batch and says of each message what became of it. To add one, write a file with
a `Carrier` and name it here.
"""

from campaigns.channels import email, inbox, people, push, sms
from campaigns.channels.contract import Carrier
from members.models import Channel

CARRIERS: dict[str, type[Carrier]] = {
    Channel.EMAIL: email.Email,
    Channel.PUSH: push.Push,
    Channel.SMS: sms.Sms,
    Channel.INBOX: inbox.Inbox,
    Channel.PEOPLE: people.People,
}
