"""Student's t distribution: quantiles and tails, with nothing but the standard library.

Pure arithmetic. The tails come from the incomplete beta function, the quantiles from the tails by
Newton's method; both agree with printed tables and never give NaN for a finite t.
"""

import math
from statistics import NormalDist


def t_quantile(*, confidence: float, df: float) -> float:
    """The t that Student's distribution stays within, either way, with this probability.

    Newton's method from the normal quantile, which is below it; the tail probability is convex
    there, so no step overshoots. Accurate to about 10 digits.
    """
    t = NormalDist().inv_cdf((1 + confidence) / 2)
    for _ in range(200):
        log_density = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
        log_density -= (df + 1) / 2 * math.log1p(t * t / df)
        step = (two_tails(t, df) - (1 - confidence)) / (2 * math.exp(log_density))
        t += step
        if abs(step) <= 1e-12 * t:
            break
    return t


def two_tails(t: float, df: float) -> float:
    """P(|T| > |t|) of Student's t: the incomplete beta function I_x(df/2, 1/2), x = df/(df + t²).

    Abramowitz and Stegun 26.5.27 and 26.7.1.
    """
    df = min(df, 1e7)  # from there on the normal distribution, to 7 digits
    rest = t * t / (df + t * t) if math.isfinite(t * t) else 1.0
    return _incomplete_beta(df / 2, 0.5, 1 - rest, rest)


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b) with rest = 1 - x, by Lentz's continued fraction (Numerical Recipes 6.4)."""
    if x <= 0 or rest <= 0:
        return float(x > 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, rest, x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log(rest)
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / (1 + term * d), 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return math.exp(log_front) * fraction / a
