"""Estimator settings: derivation from session options, comparisons, default schedules."""

import pytest

from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.estimator_settings import WINDOW_FRAMES_MAX, EstimatorSettings
from rtgain.config.session_config import make_session_config
from rtgain.errors import InputError


def test_default_config_gives_default_settings() -> None:
    settings = EstimatorSettings.from_config(make_session_config(), 48_000)
    assert settings == EstimatorSettings(48_000, 4096, 1024)


def test_every_estimator_option_reaches_the_settings() -> None:
    config = make_session_config(
        input="mic",
        target="channel",
        loss="stft",
        optimizer="Adam",
        lr=0.2,
        steps=5,
        align="off",
        compare=("waveform/SGD",),
    )
    settings = EstimatorSettings.from_config(config, 8_000)
    assert settings == EstimatorSettings(
        8_000, config.window_frames(8_000), config.hop_frames(8_000), loss="stft", optimizer="Adam", lr=0.2, steps=5,
        align=False, reject_clipped=True, compare=("waveform/SGD",),
    )  # fmt: skip


def test_too_long_window_names_the_longest_one() -> None:
    config = make_session_config(window_ms=2000)
    assert EstimatorSettings.from_config(config, 48_000).window_frames <= WINDOW_FRAMES_MAX
    with pytest.raises(InputError, match=r"--window-ms: 2000 ms at 192000 Hz are 524288 frames.* at most 682 ms"):
        EstimatorSettings.from_config(config, 192_000)


def test_comparisons_differ_in_loss_optimizer_and_schedule_only() -> None:
    settings = EstimatorSettings(
        8_000, 512, 128, lr=0.5, steps=3, align=False, compare=("stft/Adam", "waveform/SGD@0.01")
    )
    assert settings.comparisons == {
        "stft/Adam": EstimatorSettings(8_000, 512, 128, loss="stft", optimizer="Adam", align=False),
        "waveform/SGD@0.01": EstimatorSettings(
            8_000, 512, 128, loss="waveform", optimizer="SGD", lr=0.01, align=False, stock_optimizer=True
        ),
    }


@pytest.mark.parametrize("entry", ["", "stft", "/SGD", "stft/", "stft/SGD@0", "stft/SGD@1001", "stft/SGD@fast"])
def test_malformed_comparison_entry_raises(entry: str) -> None:
    with pytest.raises(ValueError, match=r"loss/optimizer pair|could not convert"):
        ComparisonSpec.parse(entry)
