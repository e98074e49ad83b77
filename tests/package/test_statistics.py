"""The functions with which the book judges, against values known from elsewhere."""

import numpy as np
import pytest
from scipy import stats

from landing.statistics import mcnemar, net_loss, paired_interval, wilson_interval


def test_wilson_is_the_set_of_rates_from_which_the_observed_one_lies_within_two_errors():
    for k, n in ((0, 20), (3, 7), (19, 20), (950, 1000)):
        for end in wilson_interval(k, n):
            if 0 < end < 1:
                assert abs(k / n - end) / np.sqrt(end * (1 - end) / n) == pytest.approx(1.95996, abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson_interval(np.int64(10), 10) == pytest.approx((0.7225, 1), abs=1e-4)


def test_impossible_counts_are_refused():
    for k, n in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError):
            wilson_interval(k, n)
    with pytest.raises(ValueError, match="more than the 3 examples"):
        net_loss(2, 2, 3)
    with pytest.raises(ValueError, match="pairs need"):
        paired_interval([1], [2])
    with pytest.raises(ValueError, match="pairs need"):
        paired_interval([1, 2], [1, 2, 3])


def test_mcnemar_is_a_fair_coin():
    assert mcnemar(5, 0) == pytest.approx(2 / 2**5)
    assert mcnemar(0, 0) == 1
    assert mcnemar(137, 70) == pytest.approx(mcnemar(70, 137))


def test_net_loss_has_the_coverage_that_it_promises():
    rng = np.random.default_rng(0)
    lost_rate, won_rate, n, inside = 0.08, 0.05, 200, 0
    for lost, won, _ in rng.multinomial(n, [lost_rate, won_rate, 1 - lost_rate - won_rate], 2000):
        _, low, high = net_loss(int(lost), int(won), n)
        inside += low <= lost_rate - won_rate <= high
    assert 0.93 < inside / 2000 < 0.98
    difference, low, high = net_loss(3, 10, 100)
    assert difference == pytest.approx(-0.07)
    assert net_loss(10, 3, 100) == pytest.approx((0.07, -high, -low))


def test_paired_interval_is_the_one_of_scipy_and_widens_with_the_comparisons():
    first, second = np.array([1.0, 2, 4, 3]), np.array([2.0, 2.5, 6, 5])
    expected = stats.ttest_rel(second, first).confidence_interval()
    mean, low, high = paired_interval(first, second)
    assert (mean, low, high) == pytest.approx((1.375, expected.low, expected.high))
    _, wider, _ = paired_interval(first, second, comparisons=6)
    assert mean - wider == pytest.approx((mean - low) * stats.t.ppf(1 - 0.025 / 6, 3) / stats.t.ppf(0.975, 3))
