"""What a cell may hold, and the sentence for what it may not."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from members.importing import columns as c


@pytest.mark.parametrize(
    ("parser", "cell", "value"),
    [
        (c.text(5), "Zürich"[:5], "Züric"),
        (c.slug(8), "day-pack", "day-pack"),
        (c.slugs(20), "hiking; camping;;hiking", ("camping", "hiking")),
        (c.whole(0, 10), "7", 7),
        (c.money(), "29.330", Decimal("29.33")),
        (c.money(), "0", Decimal("0.00")),
        (c.number(-90, 90), "-12.5e-1", -1.25),
        (c.yes_or_no, "Yes", True),
        (c.yes_or_no, "0", False),
        (c.day, "2026-09-08", date(2026, 9, 8)),
        (c.moment, "2026-09-08T10:00:00+02:00", datetime(2026, 9, 8, 8, tzinfo=UTC)),
        (c.moment, "2026-09-08T10:00:00Z", datetime(2026, 9, 8, 10, tzinfo=UTC)),
        (c.currency, "usd", "USD"),
        (c.country, "us", "US"),
        (c.time_zone, "America/Denver", "America/Denver"),
    ],
)
def test_cell_is_read(parser: c.Parser, cell: str, value: object) -> None:
    assert parser(cell) == value


@pytest.mark.parametrize(
    ("parser", "cell", "sentence"),
    [
        (c.text(5), "Zürich", "is longer than 5 characters: 'Zürich'"),
        (c.text(50), "Bcc:\nx", "has a control character, '\\n'"),
        (c.text(50), "a\x00b", "has a control character, '\\x00'"),
        (c.text(50), "\ud800", "has a control character, '\\ud800'"),
        (c.slug(8), "day pack", "has only letters, digits, - and _, unlike 'day pack'"),
        (c.whole(1, 10), "1.0", "is not a whole number: '1.0'"),
        (c.whole(1, 10), "11", "lies between 1 and 10, unlike '11'"),
        (c.whole(1, 10), "9" * 30, "is not a whole number: " + repr("9" * 30)),
        (c.whole(1, 10), "٣", "is not a whole number: '٣'"),
        (c.money(), "29,33", "is not an amount like 12.50: '29,33'"),
        (c.money(), "NaN", "is not an amount like 12.50: 'NaN'"),
        (c.money(), "1e400", "is not an amount like 12.50: '1e400'"),
        (c.money(), "0.001", "has more than two decimals: '0.001'"),
        (c.money(), "-1", "lies between 0 and 9,999,999,999.99, unlike '-1'"),
        (c.money(), "10000000000", "lies between 0 and 9,999,999,999.99, unlike '10000000000'"),
        (c.number(-90, 90), "inf", "is not a number: 'inf'"),
        (c.number(-90, 90), "1_0", "is not a number: '1_0'"),
        (c.number(-90, 90), "91", "lies between -90 and 90, unlike '91'"),
        (c.yes_or_no, "maybe", "is yes or no, not 'maybe'"),
        (c.day, "08.09.2026", "is not a date like 2026-09-08: '08.09.2026'"),
        (c.day, "0001-01-01", "lies before 1900 or after 2200: '0001-01-01'"),
        (c.day, "2026-02-30", "is not a date like 2026-09-08: '2026-02-30'"),
        (
            c.moment,
            "2026-09-08T10:00:00",
            "has no offset, as in 2026-09-08T10:00:00+02:00: '2026-09-08T10:00:00'",
        ),
        (c.moment, "soon", "is not a time like 2026-09-08T10:00:00+02:00: 'soon'"),
        (
            c.moment,
            "9999-12-31T23:59:59-14:00",
            "lies before 1900 or after 2200: '9999-12-31T23:59:59-14:00'",
        ),
        (c.currency, "$", "is an ISO 4217 code like USD, not '$'"),
        (c.currency, "ABC", "is an ISO 4217 code like USD, not 'ABC'"),
        (c.country, "USA", "is an ISO 3166 code like US, not 'USA'"),
        (c.time_zone, "Mars/Olympus", "is not an IANA time zone: 'Mars/Olympus'"),
        (c.choice("push", "sms"), "fax", "is one of push, sms, not 'fax'"),
    ],
)
def test_cell_is_refused_with_a_sentence(parser: c.Parser, cell: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 the sentence is compared
        parser(cell)
    assert str(refusal.value) == sentence


def test_moment_keeps_its_offset() -> None:
    assert c.moment("2026-09-08T10:00:00+02:00").utcoffset() == timedelta(hours=2)


def test_row_names_every_wrong_cell_at_once() -> None:
    columns = (
        c.Column("sku", c.text(8), is_required=True),
        c.Column("price", c.money()),
        c.Column("name", c.text(8)),
    )
    values, problems = c.values_of(columns=columns, cells={"sku": " ", "price": "x", "name": " a "})
    assert values == {"sku": None, "price": None, "name": "a"}
    assert problems == ["sku is missing", "price is not an amount like 12.50: 'x'"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "sentence"),
    [
        (-122.4903, 37.8372, "Latitude and longitude seem to be swapped."),
        (95.0, 100.0, "A latitude lies between -90 and 90, unlike 95.0."),
    ],
)
def test_position_beyond_the_pole_is_refused(
    latitude: float, longitude: float, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        c.check_position(latitude=latitude, longitude=longitude)
