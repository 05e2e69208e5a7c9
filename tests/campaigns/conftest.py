"""Who is at the desk."""

import pytest
from django.test import Client

from tests.campaigns.desk import client_of


@pytest.fixture
def marketer() -> Client:
    return client_of("Marketer", name="Mara")
