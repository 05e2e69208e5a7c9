import csv
import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist, fmean, linear_regression, variance
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.lift import Comparison, Sample, compare, report_file

EXPERIMENT = Path(__file__).parents[3] / "shared/data/email_experiment/half.csv"
OUTCOMES = ["visit", "conversion", "spend"]
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50)


def of(values: list[float], before: list[float] | None = None) -> Sample:
    return Sample.of_values(values, before=before)


def yes_no(*, yes: int, no: int) -> Sample:
    return of([1.0] * yes + [0.0] * no)


def normal(mean: float, count: int, seed: int) -> list[float]:
    dice = random.Random(seed)
    return [dice.gauss(mean, 1) for _ in range(count)]


def verdict(treated: Sample, control: Sample) -> str:
    return compare(treated=treated, control=control).verdict


def naive(treated: list[float], control: list[float]) -> tuple[float, float, float]:
    """Difference and normal interval from plain lists; for thousands of members t is normal."""
    difference = fmean(treated) - fmean(control)
    error = math.sqrt(variance(treated) / len(treated) + variance(control) / len(control))
    spread = NormalDist().inv_cdf(0.975) * error
    return difference, difference - spread, difference + spread


def test_compare_agrees_with_a_worked_example() -> None:
    # Student's sleep data (1908), as R prints t.test(extra ~ group): t = -1.8608, df = 17.776,
    # p = 0.07939, interval -3.3654832 to 0.2054832.
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = compare(treated=of(one), control=of(two))
    assert found.difference == pytest.approx(-1.58)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)
    assert found.p_value == pytest.approx(0.07939414, abs=1e-8)


def test_compare_has_a_relative_interval_by_the_delta_method() -> None:
    treated, control = normal(11, 2000, seed=1), normal(10, 2000, seed=2)
    found = compare(treated=of(treated), control=of(control))
    ratio = fmean(treated) / fmean(control)
    error = math.sqrt((variance(treated) + ratio**2 * variance(control)) / 2000) / fmean(control)
    assert found.relative == pytest.approx(ratio - 1)
    assert found.relative_low == pytest.approx(ratio - 1 - 1.9605 * error, rel=1e-4)
    assert found.relative_high == pytest.approx(ratio - 1 + 1.9605 * error, rel=1e-4)


@pytest.mark.parametrize("level", [0.0, -5.0])
def test_compare_with_a_control_not_above_zero_has_no_relative_lift(level: float) -> None:
    found = compare(treated=of(normal(1, 200, seed=1)), control=of([level] * 200))
    assert (found.relative, found.relative_low, found.relative_high) == (None, None, None)
    assert found.verdict == "lift"


def test_compare_with_a_control_hardly_above_zero_has_no_relative_interval() -> None:
    control = [value - fmean(normal(0, 200, seed=2)) + 0.01 for value in normal(0, 200, seed=2)]
    found = compare(treated=of(normal(1, 200, seed=1)), control=of(control))
    assert found.relative is not None
    assert (found.relative_low, found.relative_high) == (None, None)


def test_verdict_of_a_clear_gain_is_lift() -> None:
    assert verdict(of(normal(1, 200, seed=1)), of(normal(0, 200, seed=2))) == "lift"


def test_verdict_of_a_clear_loss_is_harm() -> None:
    assert verdict(of(normal(0, 200, seed=1)), of(normal(1, 200, seed=2))) == "harm"


def test_verdict_of_two_equal_arms_is_no_difference_shown() -> None:
    same = normal(1, 200, seed=1)
    assert verdict(of(same), of(same)) == "no difference shown"


def test_verdict_under_a_hundred_members_is_too_early() -> None:
    found = compare(treated=of(normal(9, 99, seed=1)), control=of(normal(0, 500, seed=2)))
    assert found.verdict == "too early to tell"
    assert found.low is not None


def test_verdict_under_ten_expected_conversions_is_too_early() -> None:
    # Welch alone would say "lift": nobody in the small arm bought, so its variance seems zero.
    assert verdict(yes_no(yes=20, no=980), yes_no(yes=0, no=100)) == "too early to tell"


def test_verdict_under_ten_expected_refusals_is_too_early() -> None:
    assert verdict(yes_no(yes=980, no=20), yes_no(yes=100, no=0)) == "too early to tell"


def test_verdict_of_many_conversions_against_none_is_lift() -> None:
    assert verdict(yes_no(yes=50, no=950), yes_no(yes=0, no=1000)) == "lift"


def test_verdict_of_spend_by_a_few_buyers_is_too_early() -> None:
    spend = [0.0] * 990 + [100.0 + day for day in range(10)]
    assert verdict(of(spend), of([0.0] * 100)) == "too early to tell"


def test_verdict_of_totals_of_a_rare_yes_is_too_early() -> None:
    rare = Sample.of_totals(count=1000, total=20, total_of_squares=20)
    assert verdict(rare, Sample.of_totals(count=100, total=0, total_of_squares=0)) == (
        "too early to tell"
    )


@pytest.mark.parametrize("members", [0, 1])
def test_compare_of_too_few_members_has_no_interval(members: int) -> None:
    found = compare(treated=of([5.0] * members), control=of([1.0] * members))
    assert (found.low, found.p_value, found.verdict) == (None, None, "too early to tell")


def test_compare_of_two_constant_arms_has_no_interval() -> None:
    found = compare(treated=of([2.0] * 500), control=of([1.0] * 500))
    assert (found.difference, found.low, found.verdict) == (1.0, None, "too early to tell")


@pytest.mark.parametrize("confidence", [0, 1, -1, 95, math.nan])
def test_compare_at_an_impossible_confidence_is_an_error(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare(treated=of([1.0]), control=of([1.0]), confidence=confidence)


def test_interval_covers_the_truth_as_often_as_it_claims() -> None:
    dice = random.Random(7)
    covered = 0
    for _ in range(1000):
        treated = [dice.expovariate(1) + 0.2 for _ in range(100)]
        control = [dice.expovariate(1) for _ in range(150)]
        found = compare(treated=of(treated), control=of(control))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.2 <= found.high
    assert 0.93 < covered / 1000 < 0.97


def pairs_off_their_means(ys: list[float], xs: list[float]) -> list[tuple[float, float]]:
    y_mean, x_mean = fmean(ys), fmean(xs)
    return [(y - y_mean, x - x_mean) for y, x in zip(ys, xs, strict=True)]


def covariate_arms() -> tuple[list[float], list[float], list[float], list[float]]:
    dice = random.Random(3)
    before = [[dice.gauss(50, 20) for _ in range(800)] for _ in range(2)]
    treated = [x + dice.gauss(1, 5) for x in before[0]]
    control = [x + dice.gauss(0, 5) for x in before[1]]
    return treated, before[0], control, before[1]


def test_covariate_narrows_the_interval() -> None:
    treated, treated_before, control, control_before = covariate_arms()
    plain = compare(treated=of(treated), control=of(control))
    better = compare(treated=of(treated, treated_before), control=of(control, control_before))
    assert plain.verdict == "no difference shown"
    assert better.verdict == "lift"
    assert better.variance_reduction == pytest.approx(1 - 25 / 425, abs=0.01)


def test_covariate_gives_what_adjusted_rows_give() -> None:
    treated, treated_before, control, control_before = covariate_arms()
    centred = [
        *pairs_off_their_means(treated, treated_before),
        *pairs_off_their_means(control, control_before),
    ]
    theta = linear_regression([x for _, x in centred], [y for y, _ in centred]).slope
    centre = fmean(treated_before + control_before)
    rows = [
        [y - theta * (x - centre) for y, x in zip(ys, xs, strict=True)]
        for ys, xs in ((treated, treated_before), (control, control_before))
    ]
    found = compare(treated=of(treated, treated_before), control=of(control, control_before))
    expected = compare(treated=of(rows[0]), control=of(rows[1]))
    for field in ("difference", "low", "high", "relative", "relative_low", "p_value"):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), rel=1e-9)


def test_constant_covariate_changes_nothing() -> None:
    treated, control = normal(1, 200, seed=1), normal(0, 200, seed=2)
    plain = compare(treated=of(treated), control=of(control))
    found = compare(treated=of(treated, [3.0] * 200), control=of(control, [3.0] * 200))
    assert (found.low, found.high, found.variance_reduction) == (plain.low, plain.high, 0)


@settings(deadline=None)
@given(treated=VALUES, control=VALUES)
def test_totals_and_rows_give_the_same_comparison(
    treated: list[float], control: list[float]
) -> None:
    # Integers, because sums of floats in SQL are rounded before Sample sees them.
    arms = [[round(value) for value in values] for values in (treated, control)]
    rows = [of([float(value) for value in arm]) for arm in arms]
    totals = [
        Sample.of_totals(
            count=len(arm), total=sum(arm), total_of_squares=sum(value * value for value in arm)
        )
        for arm in arms
    ]
    one, other = (
        compare(treated=rows[0], control=rows[1]),
        compare(treated=totals[0], control=totals[1]),
    )
    assert one.difference == pytest.approx(other.difference, rel=1e-6, abs=1e-6)
    if other.low is not None:
        assert one.low == pytest.approx(other.low, rel=1e-6, abs=1e-6)


def test_totals_of_decimals_with_a_covariate_equal_the_rows() -> None:
    spent = [Decimal("1000000.01"), Decimal("1000000.02"), Decimal("1000000.04")]
    before = [Decimal(1), Decimal(3), Decimal(4)]
    totals = Sample.of_totals(
        count=3,
        total=sum(spent),
        total_of_squares=sum(y * y for y in spent),
        before_total=sum(before),
        before_total_of_squares=sum(x * x for x in before),
        total_of_products=sum(x * y for x, y in zip(before, spent, strict=True)),
        converted=3,
    )
    rows = Sample.of_values(spent, before=before)
    assert asdict(totals) == pytest.approx(asdict(rows), rel=1e-6)
    assert totals.squares == pytest.approx(0.00046666666, rel=1e-6)


@settings(deadline=None)
@given(
    treated=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    control=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
)
def test_compare_never_answers_nan_or_infinity(treated: list[float], control: list[float]) -> None:
    found = compare(treated=of(treated, treated), control=of(control, control))
    json.dumps(asdict(found), allow_nan=False)


def rows(*lines: tuple[str, str, str]) -> list[dict[str, str]]:
    return [dict(zip(("arm", "spend", "history"), line, strict=True)) for line in lines]


TWO = rows(("mail", "3", "1"), ("none", "1", "2"), ("mail", "4", "1"), ("none", "1.5", "9"))


def report(data: list[dict[str, str]], **changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"arm": "arm", "control": "none", "outcomes": ["spend"]} | changes
    return report_file(rows=data, **asked)


def test_report_has_the_shape_of_the_contract() -> None:
    found = report(TWO)
    assert found["arms"] == {
        "mail": {"n": 2, "spend": {"mean": 3.5}},
        "none": {"n": 2, "spend": {"mean": 1.25}},
    }
    names = "arm control outcome difference low high confidence relative relative_low"
    assert [list(comparison) for comparison in found["comparisons"]] == [
        f"{names} relative_high p_value verdict".split()
    ]


def test_report_with_a_covariate_says_how_much_variance_it_took() -> None:
    assert "variance_reduction" in report(TWO, before="history")["comparisons"][0]


@pytest.mark.parametrize("column", ["arm", "before", "outcomes"])
def test_report_on_an_unknown_column_lists_the_columns(column: str) -> None:
    wrong: Any = ["colour"] if column == "outcomes" else "colour"
    with pytest.raises(ValueError, match='no column "colour"; there are "arm", "spend", "history"'):
        report(TWO, **{column: wrong})


def test_report_without_the_control_lists_the_arms() -> None:
    with pytest.raises(ValueError, match='No row has "nobody" in "arm"; there are "mail", "none"'):
        report(TWO, control="nobody")


def test_report_on_an_empty_file_says_so() -> None:
    with pytest.raises(ValueError, match="no rows at all"):
        report([])


@pytest.mark.parametrize("text", ["", "  ", "n/a", "nan", "inf", "1e999", "1_000", "1,5"])
def test_report_on_a_value_that_is_no_number_names_line_and_column(text: str) -> None:
    with pytest.raises(ValueError, match=r'Line 6, column "spend": .* is not a number'):
        report([*TWO, *rows(("mail", text, "1"))])


def test_report_counts_the_lines_of_the_file_as_an_editor_does() -> None:
    lines = ["arm,spend\n", '"no\n', 'ne",1\n', "mail,x\n"]
    with pytest.raises(ValueError, match="Line 4,"):
        report_file(rows=csv.DictReader(lines), arm="arm", control="none", outcomes=["spend"])


def test_report_on_a_column_that_is_no_arm_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than 100 values"):
        report(rows(*((str(member), "1", "1") for member in range(101))))


def test_report_on_an_outcome_called_n_is_an_error() -> None:
    with pytest.raises(ValueError, match="rename that column"):
        report([{"arm": "none", "n": "1"}], outcomes=["n"])


@pytest.fixture(scope="module")
def experiment() -> list[dict[str, str]]:
    if not EXPERIMENT.exists():
        pytest.skip("the shared data folder is absent")
    with EXPERIMENT.open(newline="") as file:
        return list(csv.DictReader(file))


def column(data: list[dict[str, str]], arm: str, name: str) -> list[float]:
    return [float(row[name]) for row in data if row["segment"] == arm]


def comparisons(data: list[dict[str, str]], **more: str) -> Iterator[dict[str, Any]]:
    found = report(data, arm="segment", control="No E-Mail", outcomes=OUTCOMES, **more)
    yield from found["comparisons"]


def test_report_on_the_email_experiment_agrees_with_plain_lists(
    experiment: list[dict[str, str]],
) -> None:
    checked = 0
    for found in comparisons(experiment):
        treated = column(experiment, found["arm"], found["outcome"])
        control = column(experiment, "No E-Mail", found["outcome"])
        expected = naive(treated, control)
        assert (found["difference"], found["low"], found["high"]) == pytest.approx(
            expected, rel=1e-3
        )
        checked += 1
    assert checked == 6


def test_report_on_the_email_experiment_with_history_agrees_with_plain_lists(
    experiment: list[dict[str, str]],
) -> None:
    control_before = column(experiment, "No E-Mail", "history")
    for found in comparisons(experiment, before="history"):
        before = column(experiment, found["arm"], "history")
        arms = [
            (column(experiment, found["arm"], found["outcome"]), before),
            (column(experiment, "No E-Mail", found["outcome"]), control_before),
        ]
        within = [pair for arm in arms for pair in pairs_off_their_means(*arm)]
        theta = sum(y * x for y, x in within) / sum(x * x for _, x in within)
        treated, control = ([y - theta * x for y, x in zip(ys, xs, strict=True)] for ys, xs in arms)
        assert (found["difference"], found["low"], found["high"]) == pytest.approx(
            naive(treated, control), rel=1e-3
        )


def test_report_on_the_email_experiment_shows_lift_everywhere(
    experiment: list[dict[str, str]],
) -> None:
    found = [comparison["verdict"] for comparison in comparisons(experiment, before="history")]
    assert found == ["lift"] * 6


def test_comparison_is_frozen() -> None:
    found = compare(treated=of([1.0]), control=of([1.0]))
    assert isinstance(found, Comparison)
    with pytest.raises(AttributeError):
        found.low = 1.0  # type: ignore[misc]
