"""Statistics of listening tests: the binomial p-value of an ABX score and the confidence interval of a preference."""

import math

NORMAL_QUANTILE_95 = 1.959963984540054
"""Quantile of the standard normal distribution at 97.5 %: limits of a two-sided confidence interval of 95 %."""


def abx_p_value(correct: int, trials: int) -> float:
    """Return the probability that a guess in each of `trials` is right at least `correct` times (one-sided, exact).

    It is the upper tail of the binomial distribution with probability 1/2. The sum is over whole numbers, so only the
    last division rounds. Raises `ValueError` unless 0 <= `correct` <= `trials`.
    """
    if not 0 <= correct <= trials:
        raise ValueError(f"{correct} of {trials} trials cannot be right")
    outcomes = sum(math.comb(trials, right) for right in range(correct, trials + 1))
    return outcomes / (1 << trials)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the Wilson score interval of a share at a confidence of 95 %: lowest and highest share, 0 to 1.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). Raises
    `ValueError` unless 0 <= `successes` <= `trials` and `trials` >= 1.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} trials cannot be successes")
    share, z2 = successes / trials, NORMAL_QUANTILE_95**2
    center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    variance = share * (1 - share) / trials + z2 / (4 * trials**2)
    half_width = NORMAL_QUANTILE_95 * math.sqrt(variance) / (1 + z2 / trials)
    return max(0.0, center - half_width), min(1.0, center + half_width)
