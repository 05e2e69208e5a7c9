"""Vouchers that come with a message: one a delivery, in the text, and good at the till."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns import files, sending
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Result
from campaigns.models import Campaign, Delivery, Gift, InboxMessage
from config.errors import Invalid
from loyalty import vouchers
from loyalty.models import Reward, Voucher
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE, Post
from tests.factories import NOW

pytestmark = pytest.mark.django_db

TEXT = {
    **scenes.VARIANT,
    "body": "{{ voucher.worth }}: {{ voucher.code }} until {{ voucher.expires_on }}",
}


@pytest.fixture
def reward() -> Reward:
    return Reward.objects.create(
        slug="ten-off", name="Ten off", kind="voucher", points=500, value=10, currency="USD",
        valid_days=30,
    )  # fmt: skip


def planned(**said: Any) -> Campaign:
    return scenes.planned(variants=[TEXT], gift="ten-off", **said)


def test_message_carries_the_code_of_the_members_own_voucher(reward: Reward) -> None:
    member = factories.member()
    planned(channels=("inbox",))
    scenes.turn()
    voucher = Voucher.objects.get()
    code = vouchers.code_of(voucher)
    assert InboxMessage.objects.get().text == f"10.00 USD off: {code} until 2027-03-31"
    assert (voucher.member, voucher.redemption) == (member, None)
    assert voucher.expires_at == DUE + timedelta(days=30)
    till = vouchers.AtTill(by="till")
    assert vouchers.redeem(code=code, till=till, now=DUE).voucher == voucher


def test_message_that_is_tried_again_carries_the_same_code(
    reward: Reward, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.reader()
    planned()
    post = Post(Result.RETRY)
    texts: list[str] = []
    said = post._one

    def keep(message: Any) -> Any:
        texts.append(message.text)
        return said(message)

    monkeypatch.setattr(post, "_one", keep)
    monkeypatch.setitem(CARRIERS, "email", lambda: post)
    scenes.turn()
    scenes.turn(DUE + timedelta(minutes=2))
    assert len(texts) == 2
    assert texts[0] == texts[1]
    assert Gift.objects.get().voucher == Voucher.objects.get()


def test_held_out_and_objected_get_no_voucher(reward: Reward) -> None:
    factories.members(2)  # They allow no e-mail.
    planned(holdout_percent=50)
    scenes.turn()
    assert not Voucher.objects.exists()


def test_budget_of_vouchers_is_never_overdrawn(reward: Reward) -> None:
    scenes.readers(4)
    planned(budget={"vouchers": 3})
    scenes.turn()
    assert Voucher.objects.count() == 3
    assert Delivery.objects.filter(state="objected", reason="budget").count() == 1


@pytest.mark.parametrize("gift", ["nothing", 7, "\x00", "climbing-day"])
def test_gift_that_is_no_voucher_is_refused(gift: Any) -> None:
    Reward.objects.create(slug="climbing-day", name="Day", kind="experience", points=900)
    with pytest.raises(Invalid) as refusal:
        scenes.draft(gift=gift)
    assert refusal.value.pointer == "/steps/0/gift"


def test_gift_stands_in_the_campaigns_file(reward: Reward) -> None:
    exported = files.export(scenes.draft(gift="ten-off"))
    assert exported["steps"][0]["gift"] == "ten-off"
    assert files.load(exported, now=NOW) == "unchanged"


def test_voucher_of_a_message_that_never_went_out_is_taken_back(reward: Reward) -> None:
    scenes.reader()
    planned()
    sending.send_due(channel="email", now=DUE, carrier=Post(Result.REFUSED))
    assert Voucher.objects.get().state == "active"
    scenes.turn(DUE)
    assert Voucher.objects.get().state == "cancelled"


def test_reward_of_which_there_are_only_so_many_is_no_gift(reward: Reward) -> None:
    Reward.objects.update(stock=3)
    with pytest.raises(Invalid) as refusal:
        scenes.draft(gift="ten-off")
    assert refusal.value.pointer == "/steps/0/gift"
