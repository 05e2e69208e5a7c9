import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.students_t import t_quantile


@pytest.mark.parametrize(
    ("confidence", "df", "table"),
    [
        (0.90, 1, 6.313752),
        (0.95, 1, 12.706205),
        (0.95, 2, 4.302653),
        (0.99, 5, 4.032143),
        (0.95, 10, 2.228139),
        (0.95, 30, 2.042272),
        (0.999, 3, 12.923979),
        (0.95, 120, 1.979930),
        (0.50, 4, 0.740697),
    ],
)
def test_t_quantile_is_that_of_the_printed_tables(
    confidence: float, df: float, table: float
) -> None:
    assert t_quantile(confidence=confidence, df=df) == pytest.approx(table, abs=1e-6)


@given(df=st.floats(1, 1000), confidence=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=30)
def test_t_quantile_encloses_its_share_of_the_density(df: float, confidence: float) -> None:
    t = t_quantile(confidence=confidence, df=df)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    steps = 2000  # Simpson's rule
    share = sum(
        (4 if step % 2 else 2 if 0 < step < steps else 1)
        * scale
        * (1 + (t * step / steps) ** 2 / df) ** (-(df + 1) / 2)
        for step in range(steps + 1)
    )
    assert 2 * share * t / steps / 3 == pytest.approx(confidence, abs=1e-4)


def test_t_quantile_of_endless_degrees_of_freedom_is_the_normal_one() -> None:
    assert t_quantile(confidence=0.95, df=1e12) == pytest.approx(1.959964, abs=1e-6)
