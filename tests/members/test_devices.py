"""The phones a member can be pushed to."""

from datetime import UTC, datetime

import pytest

from members import devices, joining
from members.models import Device, Member

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def enrol(email: str) -> Member:
    return joining.enrol(enrolment=joining.Enrolment(email=email), now=NOW, source="test")


def test_a_device_registered_twice_is_one() -> None:
    member = enrol("ann@example.com")

    for _ in range(2):
        devices.register(member=member, token="t", platform="ios", now=NOW)

    assert Device.objects.get().member == member


def test_a_phone_that_changes_hands_belongs_to_who_signed_in_last() -> None:
    ann, bob = enrol("ann@example.com"), enrol("bob@example.com")
    devices.register(member=ann, token="t", platform="ios", now=NOW)

    devices.register(member=bob, token="t", platform="ios", now=NOW)

    assert Device.objects.get().member == bob


def test_a_refused_device_that_registers_again_is_pushed_to_again() -> None:
    member = enrol("ann@example.com")
    device = devices.register(member=member, token="t", platform="web", now=NOW)
    Device.objects.filter(pk=device.pk).update(refused_at=NOW)

    devices.register(member=member, token="t", platform="web", now=NOW)

    assert Device.objects.get().refused_at is None


def test_somebody_elses_device_is_not_forgotten() -> None:
    ann, bob = enrol("ann@example.com"), enrol("bob@example.com")
    devices.register(member=ann, token="t", platform="ios", now=NOW)

    devices.forget(member=bob, token="t")

    assert Device.objects.exists()
