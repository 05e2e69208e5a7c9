"""The shell's door: what each command says, and that its errors are sentences."""

import csv
import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import files
from campaigns.models import Campaign, Delivery
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def refusal(*words: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*words)
    return str(caught.value)


def soon(code: str = "news", **said: Any) -> Campaign:
    """A draft for the commands, which read the real clock."""
    now = timezone.now()
    entry = {"kind": "moment", "at": (now + timedelta(hours=2)).isoformat()}
    return scenes.draft(code, entry=entry, now=now, **said)


# --- tick ---------------------------------------------------------------------------------------
def test_tick_does_what_is_due_at_the_time_given() -> None:
    member = scenes.reader()
    scenes.live()
    assert run("tick", "--now", "2027-03-01T11:59:59-07:00") == "planned 1\n"
    sent = "claimed for email 1, finished 1\n"
    assert run("tick", "--now", "2027-03-01T12:00:00-07:00") == sent
    assert scenes.fate(member) == ("sent", "")


def test_tick_until_idle_goes_on_until_nothing_is_due() -> None:
    scenes.readers(250)
    scenes.live()
    said = run("tick", "--until-idle", "--now", DUE.isoformat())
    assert said == "planned 250, claimed for email 250, finished 1\n"
    assert run("tick", "--until-idle", "--now", DUE.isoformat()) == "nothing was due\n"


def test_tick_without_a_time_is_the_present() -> None:
    scenes.reader()
    scenes.live()  # Next year, by the real clock.
    assert run("tick") == "nothing was due\n"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("2027-03-01T12:00:00", "--now needs an offset, as in 2027-08-09T10:00:00-06:00."),
        ("2027-03-01", "--now needs an offset, as in 2027-08-09T10:00:00-06:00."),
        ("tomorrow", "--now: Invalid isoformat string: 'tomorrow'"),
    ],
)
def test_tick_at_no_time_is_refused(said: str, sentence: str) -> None:
    assert refusal("tick", "--now", said) == sentence


def test_tick_at_another_time_is_refused_in_production(settings: Any) -> None:
    settings.IS_PRODUCTION = True
    sentence = "In production the clock shows the present: leave --now out."
    assert refusal("tick", "--now", DUE.isoformat()) == sentence
    assert run("tick") == "nothing was due\n"


# --- launch, pause, resume ----------------------------------------------------------------------
def test_launch_pause_and_resume_say_what_they_did() -> None:
    soon()
    assert run("launch", "news") == "news is live, version 1\n"
    assert run("pause", "news") == "news is paused\n"
    assert run("resume", "news") == "news is live again\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("launch", "never"), "There is no campaign 'never'."),
        (("pause", "news"), "'news' is draft; only live ones pause."),
        (("resume", "news"), "'news' is draft; only paused ones resume."),
        (("export", "campaigns", "never"), "There is no campaign 'never'."),
        (("deliveries", "never", "--csv", "-"), "There is no campaign 'never'."),
        (("lift", "never"), "There is no campaign 'never'."),
        (("lift",), "Name a campaign, or a --file."),
        (("lift", "news", "--file", "x.csv"), "Name a campaign, or a --file."),
        (("lift", "--file", "x.csv"), "With --file, name the --arm too."),
        (
            ("lift", "--file", "no.csv", "--arm", "a", "--control", "c", "--outcome", "o"),
            "[Errno 2] No such file or directory: 'no.csv'",
        ),
        (
            ("deliveries", "news", "--csv", "/nowhere/x.csv"),
            "[Errno 2] No such file or directory: '/nowhere/x.csv'",
        ),
    ],
    ids=" ".join,
)
def test_refusal_is_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    soon()
    assert refusal(*words) == sentence


def test_launch_of_what_cannot_be_carried_out_names_the_place() -> None:
    campaign = soon()
    campaign.steps.get().variants.update(body="{{ member.email }}")
    assert refusal("launch", "news").startswith("/steps/0/variants/0/body: Line 1, column 4: ")


# --- export and deliveries ----------------------------------------------------------------------
def test_export_prints_what_load_takes_back() -> None:
    campaign = soon(variants=[{**scenes.VARIANT, "subject": "Ça va?"}])
    printed = run("export", "campaigns", "news")
    assert "Ça va?" in printed
    assert json.loads(printed) == files.export(campaign)
    assert files.load(json.loads(printed), now=timezone.now()) == "unchanged"


def test_deliveries_are_a_table_with_the_columns_of_the_contract(tmp_path: Path) -> None:
    scenes.reader(number="A1")
    scenes.planned()
    scenes.turn()
    path = tmp_path / "who.csv"
    assert run("deliveries", "news", "--csv", str(path)) == f"1 rows written to {path}\n"
    header, row = csv.reader(path.open(encoding="utf-8"))
    assert header == (
        [
            "member",
            "step",
            "channel",
            "state",
            "reason",
            "arm",
            "variant",
            "due_at",
            "sent_at",
            "zone",
        ]
    )
    due = DUE.isoformat()
    assert row == (
        ["A1", "1", "email", "sent", "", "treated", "default", due, due, "America/Denver"]
    )


def test_deliveries_go_to_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    scenes.reader(number="A1")
    scenes.planned()
    run("deliveries", "news", "--csv", "-")
    assert capsys.readouterr().out.splitlines()[1].startswith("A1,1,email,planned,,treated,default")


@pytest.mark.parametrize("number", ["=HYPERLINK(1)", "+1", "-1", "\tx"])
def test_deliveries_hold_no_formula(number: str, tmp_path: Path) -> None:
    scenes.reader(number=number)
    scenes.planned()
    path = tmp_path / "who.csv"
    run("deliveries", "news", "--csv", str(path))
    _, row = csv.reader(path.open(encoding="utf-8", newline=""))
    assert row[0] == f"'{number}"


# --- lift ---------------------------------------------------------------------------------------
EXPERIMENT = "arm,spend,before\n" + "".join(
    f"{arm},{money},{money + 7 * n % 20}\n"
    for n, (arm, money) in enumerate([("a", 10), ("a", 30), ("b", 0), ("b", 10)] * 60)
)


@pytest.fixture
def experiment(tmp_path: Path) -> list[str]:
    path = tmp_path / "experiment.csv"
    path.write_text("\ufeff" + EXPERIMENT, encoding="utf-8")
    return ["lift", "--file", str(path), "--arm", "arm", "--control", "b", "--outcome", "spend"]


def test_lift_of_a_file_says_means_difference_and_verdict(experiment: list[str]) -> None:
    first, second, third = run(*experiment).splitlines()
    assert (first, second) == ("a: 120 members, spend 20", "b: 120 members, spend 5")
    assert third == "a - b, spend: +15 [+12.98, +17.02], lift"


def test_lift_of_a_file_as_json(experiment: list[str]) -> None:
    report = json.loads(run(*experiment, "--json"))
    assert report["arms"] == {
        "a": {"n": 120, "spend": {"mean": 20.0}},
        "b": {"n": 120, "spend": {"mean": 5.0}},
    }
    (found,) = report["comparisons"]
    assert (found["arm"], found["control"], found["difference"]) == ("a", "b", 15.0)
    assert found["relative"] == 3.0


def test_lift_of_a_file_with_what_was_known_before_is_narrower(experiment: list[str]) -> None:
    plain, adjusted = (
        json.loads(run(*experiment, *more, "--json"))["comparisons"][0]
        for more in ([], ["--before", "before"])
    )
    assert adjusted["variance_reduction"] > 0.1
    assert adjusted["high"] - adjusted["low"] < plain["high"] - plain["low"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--arm", "group"), 'There is no column "group"; there are "arm", "spend", "before".'),
        (("--control", "c"), 'No row has "c" in "arm"; there are "a", "b".'),
        (("--outcome", "arm"), "Line 2, column \"arm\": 'a' is not a number."),
    ],
)
def test_lift_of_a_file_that_does_not_fit_is_refused(
    change: tuple[str, str], sentence: str, experiment: list[str]
) -> None:
    name, value = change
    experiment[experiment.index(name) + 1] = value
    assert refusal(*experiment) == sentence


def test_lift_of_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    words = ["lift", "--file", str(path), "--arm", "a", "--control", "b", "--outcome", "c"]
    assert "can't decode byte 0xff" in refusal(*words)


def test_lift_of_a_campaign_is_too_early_to_tell() -> None:
    scenes.readers(20)
    scenes.planned(holdout_percent=50)
    held_out = Delivery.objects.filter(state="held_out").count()
    lines = run("lift", "news").splitlines()
    assert f"held_out: {held_out} members, visit 0, purchase 0, spend 0" in lines
    assert "treated - held_out, spend: too early to tell" in lines
    report = json.loads(run("lift", "news", "--json"))
    assert (report["campaign"], report["still_open"]) == ("news", 20)
