"""Tables as the world writes them: whoever lives in a row's place gets the row's date.

Rows of our own, in every shape that the calendars of American districts and European holidays
have: states by code and name, counties in all their wordings, districts, zones of a country, a
whole country, and a school group within a canton.
"""

from datetime import date, timedelta
from pathlib import Path

import pytest

from campaigns.models import Journey
from members.models import Member
from tests.campaigns import scenes
from tests.files import load, write_csv

pytestmark = pytest.mark.django_db

HEADER = "occasion,date,country,region,county,district,time_zone,source"
# The row's place, and the address of somebody who lives there.
PLACES: list[tuple[str, dict[str, str]]] = [
    ("US,CO,Denver County,Denver Public Schools,America/Denver", {"postal_code": "80202"}),
    ("US,Utah,Salt Lake County,Canyons School District,America/Denver", {"postal_code": "84070"}),
    ("US,OK,Oklahoma and Logan counties,Edmond Public Schools,", {"postal_code": "73034"}),
    ("US,HI,Statewide,Hawaii State Department of Education,", {"postal_code": "96813"}),
    ("US,NY,New York City,New York City Public Schools,", {"postal_code": "11201"}),
    ("US,VA,,Henrico County Public Schools,", {"postal_code": "23228"}),
    ("US,MN,Ramsey,Saint Paul Public Schools,", {"region": "MN", "city": "St. Paul"}),
    ("US,AK,Municipality of Anchorage,Anchorage School District,", {"postal_code": "99501"}),
    ("US,LA,Orleans Parish,NOLA Public Schools,", {"postal_code": "70112-0001"}),
    ("US,MD,City of Baltimore,,", {"postal_code": "21201"}),
    ("US,WY,,,", {"region": "Wyoming"}),
    ("DE,BY,,,Europe/Berlin", {"country": "DE", "region": "BY"}),
    ("FR,BT,,,Europe/Paris", {"country": "FR", "region": "BT"}),
    ("NL,ZU,,,Europe/Amsterdam", {"country": "NL", "region": "ZU"}),
    ("CH,ZH,,,", {"country": "CH", "region": "ZH"}),
    ("CH,BE,,BE-VS,", {"country": "CH", "region": "BE"}),
    ("AT,,,,", {"country": "AT", "region": "Tirol"}),
]


def test_whoever_lives_in_the_place_of_a_row_gets_its_date(tmp_path: Path) -> None:
    path = tmp_path / "calendar.csv"
    first = date(2027, 8, 1)
    rows = [
        f"term,{first + timedelta(days=number)},{place},https://example.org"
        for number, (place, _) in enumerate(PLACES)
    ]
    assert load("occasions", write_csv(path, HEADER, *rows)).exit == 0
    residents: dict[Member, date] = {
        scenes.reader(**{"country": "US", **address}): first + timedelta(days=number)
        for number, (_, address) in enumerate(PLACES)
    }

    campaign = scenes.live(entry={"kind": "occasion", "occasion": "term", "offset_days": -14})
    scenes.plan(campaign, now=scenes.utc("2027-12-01"))

    dates = {
        journey.member: journey.occasion and journey.occasion.date
        for journey in Journey.objects.select_related("member", "occasion")
    }
    assert dates == residents
