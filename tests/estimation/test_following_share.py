"""Share that follows the signal: that of an echo, and 0 for noise, before or behind a gain that moves."""

import numpy as np
import pytest

from rtgain.estimation.following_share import FollowingShare, RecentQuantile

HOP_S = 0.02
LEVELS_DB = 10 * np.sin(np.arange(500) / 20)
"""Level of a sound that rises and falls by 10 dB."""


def share(unexplained: np.ndarray, gain: np.ndarray) -> float:
    """Share after windows whose target has a power of `unexplained` next to the dry signal behind the gain."""
    following = FollowingShare(4)
    power = 10 ** (LEVELS_DB / 10)
    for dry, rest, factor in zip(power, unexplained, gain, strict=True):
        target = factor**2 * dry
        following.update(dry, target / (target + rest), factor, HOP_S)
    return following.share


def test_sound_that_follows_the_signal_has_its_share_without_what_may_be_noise():
    gain = np.full(500, 0.5)
    echo = 0.25 * 0.5**2 * 10 ** (LEVELS_DB / 10)  # 6 dB below the target
    assert share(echo, gain) == pytest.approx(0.25 / 1.25, abs=0.03)


@pytest.mark.parametrize("noise", [1e-4, 0.02, 0.5])
def test_noise_does_not_follow_the_signal(noise):
    scatter = 1 + 0.2 * np.random.default_rng(0).standard_normal(500)
    assert share(noise * scatter, np.full(500, 0.5)) < 0.01
    stepped = np.where(np.arange(500) < 450, 2.0, 0.2)
    assert share(noise * scatter, stepped) < 0.01
    assert share(noise * scatter * stepped**2, stepped) < 0.01


def test_windows_next_to_silence_do_not_count():
    following = FollowingShare(4)
    for _ in range(3):
        for fraction in [1.0] * 20 + [0.5, 0.1] + [None] * 9 + [0.1, 0.4, 0.9]:
            if fraction is None:
                following.skip()
            else:
                following.update(1.0, fraction, 1.0, HOP_S)
    assert following.share == 0.0


def test_quantile_is_that_of_the_last_values():
    values = np.random.default_rng(1).permutation(300).astype(float)
    quantile = RecentQuantile()
    for index, value in enumerate(values):
        last = np.sort(values[max(0, index - 49) : index + 1])
        quantile.update(float(value), 50)
        assert quantile.value == last[len(last) // 10]
