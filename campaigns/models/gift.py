"""A voucher that came with a message."""

from dataclasses import dataclass
from datetime import date

from django.db import models


@dataclass(frozen=True, slots=True)
class Promise:
    """The voucher that a message speaks of, made or about to be."""

    seed: bytes
    code: str
    worth: str
    expires_on: date
    is_new: bool


class Gift(models.Model):
    """One voucher a delivery, however often it is tried."""

    delivery = models.OneToOneField(
        "campaigns.Delivery", primary_key=True, on_delete=models.CASCADE, related_name="gift"
    )
    voucher = models.OneToOneField(
        "loyalty.Voucher", on_delete=models.CASCADE, related_name="campaign_gift"
    )

    def __str__(self) -> str:
        return f"voucher {self.voucher_id} with {self.delivery_id}"
