"""Closed forms and bounds against search, other libraries and statistics."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from rtgain.dsp.closed_form import cramer_rao_std_db, least_squares, weighted_median, weighted_medians

POINTS = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), min_size=1, max_size=12)


@given(points=POINTS)
@example(points=[(1, 1), (2, 1)])
@example(points=[(5, 0), (-5, 0), (3, 7)])
def test_weighted_median_is_least_in_weighted_distance(points: list[tuple[int, int]]) -> None:
    values, weights = np.array(points, dtype=np.float64).T
    median = weighted_median(torch.from_numpy(values)[None], torch.from_numpy(weights)[None]).item()

    def distance(at: float) -> float:
        return float(np.sum(weights * np.abs(at - values)))

    assert median in values
    assert distance(median) == min(map(distance, values))


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=31).filter(lambda values: len(values) % 2 == 1))
def test_equal_weights_give_the_median(values: list[float]) -> None:
    tensor = torch.tensor([values], dtype=torch.float64)
    assert weighted_median(tensor, torch.ones_like(tensor)).item() == np.median(values)


@given(points=POINTS, factor=st.integers(1, 7))
def test_weight_of_n_counts_as_n_values(points: list[tuple[int, int]], factor: int) -> None:
    values, weights = np.array([(v, w) for v, w in points if w] or [(0, 1)]).T
    weights = factor * weights
    median = weighted_median(torch.from_numpy(values)[None], torch.from_numpy(weights)[None]).item()
    # Any value between the two middle ones is a median; this quantile of NumPy takes the lower one, as rtgain does.
    assert median == np.percentile(np.repeat(values, weights), 50, method="inverted_cdf")


def test_weighted_median_without_any_weight_is_the_smallest_value() -> None:
    assert weighted_median(torch.tensor([[3.0, -1.0, 2.0]]), torch.zeros(1, 3)).item() == -1.0


def test_each_row_has_its_own_weighted_median() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0], [30.0, 20.0, 10.0]])
    weights = torch.tensor([[1.0, 1.0, 9.0], [1.0, 1.0, 9.0]])
    assert weighted_median(values, weights).tolist() == [3.0, 10.0]


def test_least_squares_equals_numpy_lstsq() -> None:
    rng = np.random.default_rng(1)
    dry = rng.standard_normal((4, 300))
    target = np.array([[0.15], [-2.0], [0.0], [1.0]]) * dry + 0.1 * rng.standard_normal((4, 300))
    found = least_squares(torch.from_numpy(dry), torch.from_numpy(target)).numpy()
    expected = [np.linalg.lstsq(x[:, None], y, rcond=None)[0][0] for x, y in zip(dry, target, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_least_squares_of_silence_is_zero() -> None:
    assert least_squares(torch.zeros(1, 8), torch.ones(1, 8)).item() == 0.0
    assert least_squares(torch.ones(1, 8), torch.zeros(1, 8)).item() == 0.0


@pytest.mark.parametrize(("gain", "noise_std"), [(0.15, 0.01), (4.0, 0.1), (1.0, 1e-4)])
def test_least_squares_in_white_noise_reaches_the_cramer_rao_bound(gain: float, noise_std: float) -> None:
    trials, rng = 4000, np.random.default_rng(2)
    dry = rng.standard_normal(500)
    target = gain * dry + noise_std * rng.standard_normal((trials, 500))
    estimates = least_squares(torch.from_numpy(dry).expand(trials, -1), torch.from_numpy(target)).numpy()
    errors_db = 20.0 * np.log10(estimates / gain)
    bound_db = cramer_rao_std_db(torch.tensor(noise_std), gain, float(np.linalg.norm(dry))).item()
    # The sample variance of normal errors is in this interval except once in 10,000 runs (and the seed is fixed).
    low, high = scipy.stats.chi2.ppf([5e-5, 1 - 5e-5], trials) / trials
    assert low < errors_db.var() / bound_db**2 < high


def test_cramer_rao_bound_is_one_number_per_window() -> None:
    norm = torch.stack([torch.ones(100), 10.0 * torch.ones(100)]).norm(dim=-1)
    expected = 20.0 / np.log(10.0) * 0.5 / (2.0 * np.array([10.0, 100.0]))
    np.testing.assert_allclose(cramer_rao_std_db(torch.tensor(0.5), 2.0, norm), expected, rtol=1e-6)


@given(points=st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), min_size=12, max_size=12))
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_weighted_medians_are_those_of_all_values_and_of_each_part(points: list[tuple[int, int]], parts: int) -> None:
    values, weights = torch.tensor(points, dtype=torch.float64).T.unsqueeze(1)
    overall, per_part = weighted_medians(values, weights, parts)
    assert overall.tolist() == weighted_median(values, weights).tolist()
    separate = (x.reshape(parts, -1) for x in (values, weights))
    expected = weighted_median(*separate)
    has_weight = weights.reshape(parts, -1).sum(-1) > 0
    assert per_part.shape == (1, parts)
    assert per_part[0][has_weight].tolist() == expected[has_weight].tolist()
    assert bool((per_part[0][~has_weight] == values.min()).all())
