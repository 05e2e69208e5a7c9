"""The statistics of an experiment: treated minus held out, with an interval and an honest verdict.

Pure arithmetic on sufficient statistics, so that SQL aggregates of a campaign and the rows of a
file give the same answer. What cannot be computed is None, never NaN or infinity; with too few
members or conversions the verdict is "too early to tell", whatever the numbers say. Intervals are
not corrected for how many comparisons you look at.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product, repeat
from typing import Any, Literal

from campaigns.students_t import t_quantile, two_tails

type Verdict = Literal["too early to tell", "lift", "harm", "no difference shown"]
type Number = int | float | Decimal

MIN_MEMBERS = 100  # per arm: Welch's interval leans on the central limit theorem
MIN_CONVERSIONS = 10  # to be expected per arm at the pooled rate; Cochran (1954) asks for 5
MAX_ARMS = 100  # of a file; more means that the wrong column was named


@dataclass(kw_only=True)
class Sample:
    """One outcome in one arm: count, mean and sum of squared deviations from the mean.

    `before_*` are those of a covariate known before the treatment, `cross` is the sum of products
    of both deviations. PostgreSQL computes them all: `regr_count`, `regr_avgy`, `regr_syy`,
    `regr_avgx`, `regr_sxx`, `regr_sxy`. `converted` counts non-zero outcomes, None if unknown.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    has_before: bool = False
    before_mean: float = 0.0
    before_squares: float = 0.0
    cross: float = 0.0
    converted: int | None = None

    @classmethod
    def of_totals(
        cls,
        *,
        count: int,
        total: Number,
        total_of_squares: Number,
        before_total: Number | None = None,
        before_total_of_squares: Number = 0,
        total_of_products: Number = 0,
        converted: int | None = None,
    ) -> "Sample":
        """From SUM(y), SUM(y*y) and, with a covariate, SUM(x), SUM(x*x), SUM(x*y).

        Subtracted as fractions, because the squares of large, close numbers cancel in floats.
        """
        y, x, n = Fraction(total), Fraction(before_total or 0), max(count, 1)
        return cls(
            count=count,
            mean=float(y / n),
            squares=max(0.0, float(Fraction(total_of_squares) - y * y / n)),
            has_before=before_total is not None,
            before_mean=float(x / n),
            before_squares=max(0.0, float(Fraction(before_total_of_squares) - x * x / n)),
            cross=float(Fraction(total_of_products) - x * y / n),
            converted=converted,
        )

    @classmethod
    def of_values(
        cls, values: Iterable[Number], *, before: Iterable[Number] | None = None
    ) -> "Sample":
        """From one value a member and, in the same order, the covariate."""
        sample = cls(has_before=before is not None)
        earlier_values = repeat(0) if before is None else before
        for value, earlier in zip(values, earlier_values, strict=before is not None):
            sample.add(float(value), float(earlier))
        return sample

    def add(self, value: float, before: float = 0.0) -> None:
        """One more member (Welford 1962)."""
        self.count += 1
        self.converted = (self.converted or 0) + (value != 0)
        off, before_off = value - self.mean, before - self.before_mean
        self.mean += off / self.count
        self.before_mean += before_off / self.count
        self.squares += off * (value - self.mean)
        self.before_squares += before_off * (before - self.before_mean)
        self.cross += off * (before - self.before_mean)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Treated minus control, in the outcome's unit; `relative` is that over the control's mean.

    With a covariate all of it is of the adjusted means; `variance_reduction` is the share of the
    difference's variance that the adjustment took away.
    """

    difference: float | None
    low: float | None
    high: float | None
    confidence: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_value: float | None
    verdict: Verdict
    variance_reduction: float | None = None


def compare(*, treated: Sample, control: Sample, confidence: float = 0.95) -> Comparison:
    """Welch's interval and two-sided test of the difference, by CUPED when both have a covariate.

    CUPED (Deng, Xu, Kohavi, Walker 2013): y - theta * (x - mean of x), theta and mean pooled over
    both arms. Relative interval: delta method, and only where Fieller's (1954) would be bounded:
    where the control's mean is itself above zero at this confidence. Raises ValueError unless
    0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence lies between 0 and 1, not at {confidence}.")
    is_adjusted = treated.has_before and control.has_before
    y, x = _adjusted(treated, control) if is_adjusted else (treated, control)
    difference = _finite(y.mean - x.mean) if treated.count and control.count else None
    relative = _finite(difference / x.mean) if difference is not None and x.mean > 0 else None
    low = high = relative_low = relative_high = p_value = reduction = None
    error, df = _welch(y, x)
    if difference is not None and error is not None:
        t = t_quantile(confidence=confidence, df=df)
        low, high = _finite(difference - t * error), _finite(difference + t * error)
        p_value = two_tails(difference / error, df)
        raw_error, _ = _welch(treated, control)
        if is_adjusted and raw_error:
            reduction = _finite(1 - error * error / (raw_error * raw_error))
        if relative is not None and x.mean > t * math.sqrt(_variance(x)):
            ratio = 1 + relative
            spread = t * math.sqrt(_variance(y) + ratio * ratio * _variance(x)) / x.mean
            relative_low, relative_high = _finite(relative - spread), _finite(relative + spread)
    return Comparison(
        difference=difference,
        low=low,
        high=high,
        confidence=confidence,
        relative=relative,
        relative_low=relative_low,
        relative_high=relative_high,
        p_value=p_value,
        verdict=_verdict(treated, control, low, high),
        variance_reduction=reduction,
    )


def _verdict(treated: Sample, control: Sample, low: float | None, high: float | None) -> Verdict:
    if low is None or high is None or not _is_enough(treated, control):
        return "too early to tell"
    if low > 0:
        return "lift"
    return "harm" if high < 0 else "no difference shown"


def _is_enough(treated: Sample, control: Sample) -> bool:
    """Enough members and, as far as known, conversions; of a yes/no outcome also enough noes."""
    smaller, members = min(treated.count, control.count), treated.count + control.count
    if smaller < MIN_MEMBERS:
        return False
    is_yes_no = all(
        math.isclose(arm.squares, arm.count * arm.mean * (1 - arm.mean), rel_tol=1e-9, abs_tol=1e-9)
        for arm in (treated, control)
    )
    if is_yes_no:
        rate = (treated.count * treated.mean + control.count * control.mean) / members
        return min(rate, 1 - rate) * smaller >= MIN_CONVERSIONS
    if treated.converted is None or control.converted is None:
        return True
    return (treated.converted + control.converted) / members * smaller >= MIN_CONVERSIONS


def _adjusted(*arms: Sample) -> list[Sample]:
    """The arms with what their covariate foretold taken out of mean and spread."""
    spread = sum(arm.before_squares for arm in arms)
    theta = sum(arm.cross for arm in arms) / spread if spread else 0.0
    centre = sum(arm.count * arm.before_mean for arm in arms) / max(1, sum(a.count for a in arms))
    return [
        Sample(
            count=arm.count,
            mean=arm.mean - theta * (arm.before_mean - centre),
            squares=max(
                0.0, arm.squares - 2 * theta * arm.cross + theta * theta * arm.before_squares
            ),
        )
        for arm in arms
    ]


def _variance(arm: Sample) -> float:
    """Of the arm's mean."""
    return arm.squares / (arm.count - 1) / arm.count


def _welch(treated: Sample, control: Sample) -> tuple[float | None, float]:
    """The standard error of the difference and its degrees of freedom (Welch 1947)."""
    if min(treated.count, control.count) < 2:
        return None, 1.0
    y, x = _variance(treated), _variance(control)
    if not 0 < y + x < math.inf:
        return None, 1.0
    y_share, x_share = y / (y + x), x / (y + x)
    df = 1 / (y_share * y_share / (treated.count - 1) + x_share * x_share / (control.count - 1))
    return math.sqrt(y + x), df


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def report_file(
    *,
    rows: Iterable[Mapping[str, str]],
    arm: str,
    control: str,
    outcomes: Sequence[str],
    before: str | None = None,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """The report on an experiment run elsewhere, one row a member, read once in constant memory.

    Returns `{"arms": {arm: {"n": int, outcome: {"mean": float}}}, "comparisons": [{"arm",
    "control", "outcome", then the fields of Comparison}]}`: each arm, in the order they appear,
    with the control. Raises ValueError, saying where and what is there instead, on an unknown
    column, a value that is no number, an absent control, and more than `MAX_ARMS` arms.
    """
    samples = _read(rows, arm, outcomes, before)
    if control not in samples:
        arms = ", ".join(f'"{name:.40}"' for name in samples) or "no rows at all"
        raise ValueError(f'No row has "{control}" in "{arm}"; there are {arms}.')
    shown: dict[str, Any] = {name: {} for name in samples}
    comparisons = []
    for name, outcome in product(samples, dict.fromkeys(outcomes)):
        sample = samples[name][outcome]
        shown[name] |= {"n": sample.count, outcome: {"mean": _finite(sample.mean)}}
        if name != control:
            found = asdict(
                compare(treated=sample, control=samples[control][outcome], confidence=confidence)
            )
            if found["variance_reduction"] is None:
                del found["variance_reduction"]
            comparisons.append({"arm": name, "control": control, "outcome": outcome} | found)
    return {"arms": shown, "comparisons": comparisons}


def _read(
    rows: Iterable[Mapping[str, str]], arm: str, outcomes: Sequence[str], before: str | None
) -> dict[str, dict[str, Sample]]:
    if "n" in outcomes:
        raise ValueError('The report calls the members of an arm "n"; rename that column.')
    samples: dict[str, dict[str, Sample]] = {}
    for index, row in enumerate(rows, start=2):
        missing = {arm, *outcomes, *([before] if before else [])} - row.keys()
        if missing:
            columns = ", ".join(f'"{name}"' for name in row if name)
            raise ValueError(f'There is no column "{min(missing)}"; there are {columns}.')
        name = row[arm] or ""
        if name not in samples:
            if len(samples) == MAX_ARMS:
                raise ValueError(f'"{arm}" has more than {MAX_ARMS} values: is it the arm?')
            samples[name] = {outcome: Sample(has_before=bool(before)) for outcome in outcomes}
        line = getattr(rows, "line_num", index)  # csv.DictReader knows of line breaks in quotes
        earlier = _number(row, before, line) if before else 0.0
        for outcome, sample in samples[name].items():
            sample.add(_number(row, outcome, line), earlier)
    return samples


def _number(row: Mapping[str, str], column: str, line: int) -> float:
    text = row.get(column) or ""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise ValueError(f'Line {line}, column "{column}": {text!r:.40} is not a number.')
    return number
