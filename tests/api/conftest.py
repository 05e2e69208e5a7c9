"""What the API needs to be switched on."""

from typing import Any

import pytest

from tests import browsers


@pytest.fixture(autouse=True)
def web_push(settings: Any) -> None:
    browsers.switch_on(settings)
