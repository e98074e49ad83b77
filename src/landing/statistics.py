"""The functions with which the book judges, as its chapter `evaluation` derives them and shows equal to these.

A rate gets an interval, two models on the same examples a test and an interval of their difference, two recipes with
several seeds an interval over the seeds.
"""

import numpy as np
from scipy import stats


def wilson_interval(k, n):
    """Return (low, high), the 95 % interval of a rate of which `k` of `n` independent examples were seen.

    Wilson's score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953), without a continuity correction. Raises
    ValueError unless 0 <= k <= n and 1 <= n, TypeError for numbers that are not whole.
    """
    low, high = stats.binomtest(k, n).proportion_ci(method="wilson")
    return float(low), float(high)


def mcnemar(lost, won):
    """Return the two-sided p value of the exact McNemar test: `lost` examples only the first model has right, `won` only
    the second (McNemar 1947, doi:10.1007/BF02295996).

    1 where the two never differ. Raises ValueError for negative counts.
    """
    return float(stats.binomtest(lost, lost + won).pvalue) if lost + won else 1.0


def net_loss(lost, won, n):
    """Return (difference, low, high): the first model's accuracy less the second's on the same `n` examples, with its 95 %
    interval; `lost` and `won` as for `mcnemar`.

    Two Wilson intervals, one of each share, combined with the correlation that two counts of one multinomial have (after
    Newcombe 1998, doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C).
    Raises ValueError unless 0 <= lost, won and lost + won <= n.
    """
    if lost + won > n:
        raise ValueError(f"{lost} lost and {won} won are more than the {n} examples")
    loss, win = lost / n, won / n
    (loss_low, loss_high), (win_low, win_high) = wilson_interval(lost, n), wilson_interval(won, n)
    r = np.sqrt(loss * win / max((1 - loss) * (1 - win), 1e-12))

    def combined(a, b):
        return np.sqrt(a**2 + 2 * r * a * b + b**2)

    below, above = combined(loss - loss_low, win_high - win), combined(loss_high - loss, win - win_low)
    return loss - win, float(loss - win - below), float(loss - win + above)


def paired_interval(first, second, comparisons=1):
    """Return (mean, low, high): the mean of `second - first` over pairs (seeds, groups) and its 95 % t interval.

    `first` and `second` have the shape (pairs,), at least two; `comparisons` widens the interval so that this many hold
    together (Bonferroni). Raises ValueError for fewer pairs or unequal shapes.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(f"pairs need two rows of equal length, at least two: {first.shape} and {second.shape}")
    change = second - first
    reach = stats.t.ppf(1 - 0.025 / comparisons, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change))
    return float(change.mean()), float(change.mean() - reach), float(change.mean() + reach)
