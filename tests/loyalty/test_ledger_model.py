"""A few hundred random moves of the ledger; `make bench` makes fifty thousand."""

import pytest

from tests.loyalty import ledger_machine


@pytest.mark.django_db
def test_ledger_moves_as_its_model_does() -> None:
    ledger_machine.run(examples=12, steps=30)
