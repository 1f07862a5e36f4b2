"""Sound of the workspace Compare, recorded from a JACK server: one level, aligned, limited, and without clicks."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import filtfilt

from gui.control.session_controller import create_session
from gui.main_window import MainWindow
from gui.theme import LIGHT
from rtgain.audio.constants import CROSSFADE_S
from rtgain.audio.sources.demo import DemoSource
from rtgain.bench.servers import JackServer
from rtgain.config.session_config import SessionConfig
from rtgain.metering.loudness import LoudnessMeter
from tests.gui.user_input import UserInput
from tests.jack_client import JackTestClient, first_lag
from tests.polling import TIMEOUT_MS

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(600)]

RATE = 48_000
SECTION_S = (1.0, 3.0)
SECTION_FRAMES = 2 * RATE
FADE_FRAMES = round(CROSSFADE_S * RATE)

MATCH = {"std_db": 0.02, "delay_ms": 0.0, "polarity": 1, "channels": [], "state": "tracking", "findings": []}
"""Part of the object of ``rtgain match --json``."""

Sound = NDArray[np.float64]


@pytest.fixture(scope="module")
def sounds() -> dict[str, Sound]:
    """Music at full scale; 4 dB louder and 300 frames later; 8 dB softer with its bass raised, 700 frames earlier."""
    music = DemoSource(RATE, 2).read(4 * RATE).T.astype(np.float64)
    music *= 0.99 / np.abs(music).max()
    shelved = music + filtfilt([0.05], [1.0, -0.95], music, axis=0)  # without a delay
    return {
        "dry": music,
        "louder": np.pad(10 ** (4 / 20) * music, ((300, 0), (0, 0))),
        "shelved": 10 ** (-8 / 20) * shelved[700:],
    }


@pytest.fixture
def window(
    qtbot: Any, jack_server: JackServer, tmp_path: Path, sounds: dict[str, Sound], monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    """Window that repeats a section of the music and its first target; gains are known without ``rtgain match``."""
    monkeypatch.setattr("gui.background.pair_analysis.PairAnalysis.match", lambda *_: None)
    for name, sound in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE, subtype="FLOAT")
    targets = tuple(str(tmp_path / f"{name}.wav") for name in ("louder", "shelved"))
    start, end = SECTION_S
    config = SessionConfig(
        input=str(tmp_path / "dry.wav"), target=targets[0], target_files=targets, start=start, end=end, loop=True,
        level_match="loudness",
    )  # fmt: skip
    window = MainWindow(config, create_session, LIGHT)
    try:
        window.painted.connect(window.start)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=TIMEOUT_MS)
        analysis = window.compare_controller.analysis
        qtbot.waitUntil(lambda: all(analysis.results(c).loudness for c in configs(window)), timeout=TIMEOUT_MS)
        for target_config, gain_db in zip(configs(window), (4.0, None), strict=True):
            analysis.store(target_config, match=MATCH | {"gain_db": gain_db})
        yield window
    finally:
        window.close()
        window.deleteLater()


def configs(window: MainWindow) -> list[SessionConfig]:
    config = window.controller.config
    return [config.model_copy(update={"target": target}) for target in config.second_recordings]


def integrated_lufs(sound: Sound) -> float:
    meter = LoudnessMeter(RATE, 2)
    meter.push(np.ascontiguousarray(sound.T, np.float32))
    return meter.integrated_lufs


def gain_db(dry: Sound, target: Sound) -> float:
    return 20 * math.log10(np.vdot(dry, target) / np.vdot(dry, dry))


class Listener:
    """Presses keys in the window, and records its output."""

    def __init__(self, qtbot: Any, window: MainWindow, client: JackTestClient, section: Sound) -> None:
        self.user_input = UserInput(qtbot)
        self._qtbot, self._window, self._client = qtbot, window, client
        self._repeated = np.concatenate([section, section])[:, 0]
        client.connect(out_of="rtgain-.*:out_.*")

    def switch_target(self, key: str, name: str) -> None:
        self.user_input.press(key)
        self._qtbot.waitUntil(lambda: name in self._window.controller.session.config.target, timeout=TIMEOUT_MS)

    def record(self, key: str, seconds: float) -> Sound:
        """Record while `key` is pressed, (frames, channels)."""
        self._client.start(np.zeros(1), seconds=seconds)
        self.user_input.press(key)
        self._qtbot.waitUntil(self._client.is_full, timeout=TIMEOUT_MS)
        recorded: Sound = self._client.recorded().T.astype(np.float64)
        assert np.abs(recorded).max() < 1.0  # nothing exceeds full scale, or is limited
        return recorded

    def first_frame(self, recorded: Sound) -> int:
        """Frame of the section at the start of a recording."""
        return first_lag(self._repeated, recorded[:, 0]) % SECTION_FRAMES

    def loop(self, key: str) -> Sound:
        """Press `key`, and record the section once; the result begins with its first frame."""
        recorded = self.record(key, 1.0 + SECTION_FRAMES / RATE)[-SECTION_FRAMES:]
        return np.roll(recorded, self.first_frame(recorded), axis=0)

    def check_switch(self, key: str, before: Sound, after: Sound, steps: int) -> None:
        """Press `key`: the recording is the linear crossfade, of `steps` steps, from one loop to another."""
        recorded = self.record(key, 1.5)
        at = self.first_frame(recorded[-RATE // 2 :]) - len(recorded) + RATE // 2 + np.arange(len(recorded))
        before, after = before[at % SECTION_FRAMES], after[at % SECTION_FRAMES]
        first = int(np.argmax(np.abs(recorded - before).max(axis=1) > 1e-6))
        assert first > 0
        share = np.clip((np.arange(len(recorded)) - first + 1) / steps, 0.0, 1.0)[:, None]
        ideal = share * after + (1.0 - share) * before
        error_db = 10 * np.log10(np.sum((recorded - ideal) ** 2) / np.sum(ideal[first : first + FADE_FRAMES] ** 2))
        assert error_db < -100.0
        assert np.abs(recorded[first + FADE_FRAMES :] - after[first + FADE_FRAMES :]).max() < 1e-6


def test_dry_and_targets_have_one_level_and_switch_without_clicks(
    qtbot: Any, window: MainWindow, jack_server: JackServer, sounds: dict[str, Sound]
) -> None:
    start = round(SECTION_S[0] * RATE)
    section = sounds["dry"][start : start + SECTION_FRAMES]
    with JackTestClient(jack_server, outputs=2) as client:
        listener = Listener(qtbot, window, client, section)
        loops: dict[str, Sound] = {}
        for key, name in (("shift+1", "louder"), ("shift+2", "shelved")):
            listener.switch_target(key, name)
            loops["dry"], loops[name] = listener.loop("1"), listener.loop("2")
            assert abs(integrated_lufs(loops[name]) - integrated_lufs(loops["dry"])) <= 0.1
        # Between signals that differ, a switch is an ideal crossfade.
        listener.check_switch("1", loops["shelved"], loops["dry"], FADE_FRAMES)
        listener.check_switch("2", loops["dry"], loops["shelved"], FADE_FRAMES)
        listener.check_switch("shift+1", loops["shelved"], loops["louder"], FADE_FRAMES + 1)

        listener.user_input.choose(window.navigation.level_match, "By gain")
        dry, target = listener.loop("1"), listener.loop("2")
        assert abs(gain_db(dry, target)) <= 0.02
        np.testing.assert_allclose(target, dry, atol=2e-4)  # aligned to the sample, since nothing else differs
        np.testing.assert_allclose(dry, 10 ** (gain_db(section, dry) / 20) * section, atol=1e-6)
