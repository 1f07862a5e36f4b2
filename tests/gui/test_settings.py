"""Saved settings and presets, and files that cannot be used."""

import json
from pathlib import Path

import pytest

from gui import settings
from gui.app import opening_config
from gui.settings import Settings, load_settings, presets, save_preset, save_settings
from rtgain.config.presets import load_preset
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "folder", lambda: tmp_path / "rtgain")
    return tmp_path / "rtgain"


def test_saved_settings_are_loaded() -> None:
    config = SessionConfig(input="pink", gain_db=-6.0, output_device="USB Audio (ALSA)", compare=("waveform/SGD",))
    settings_ = Settings(theme="dark", geometry="abc").with_recent("/a.wav").with_session(config)
    save_settings(settings_)
    assert load_settings() == settings_
    assert load_settings().session_for(SessionConfig()) == config


def test_first_run_has_the_defaults() -> None:
    assert load_settings() == Settings()
    assert Settings().session_for(SessionConfig()) == SessionConfig()


def test_explicit_options_override_saved_ones() -> None:
    settings_ = Settings().with_session(SessionConfig(input="pink", gain_db=-6.0, loss="stft"))
    config = settings_.session_for(SessionConfig(gain_db=-20.0))
    assert (config.input, config.gain_db, config.loss) == ("pink", -20.0, "stft")


def test_options_of_one_run_are_not_saved() -> None:
    settings_ = Settings().with_session(
        SessionConfig(clock="timer", duration=3.0, block=64, seed=5, automation="a.csv")
    )
    assert settings_.session == {}


def test_missing_file_is_replaced_by_the_demo(tmp_path: Path) -> None:
    settings_ = Settings().with_session(SessionConfig(input=str(tmp_path / "gone.wav"), target="channel", gain_db=-3.0))
    config = settings_.session_for(SessionConfig())
    assert (config.input, config.target, config.gain_db) == ("demo", "reference", -3.0)


def test_unknown_options_are_ignored() -> None:
    assert Settings(session={"input": "sine", "wobble": 3}).session_for(SessionConfig()).input == "sine"
    assert Settings(session={"input": "sine", "gain_db": "loud"}).session_for(SessionConfig()) == SessionConfig()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": "x"}', '{"theme": "dark"}', '{"version":2,"theme":3}'])
def test_invalid_file_is_logged_and_replaced_by_the_defaults(
    own_folder: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    own_folder.mkdir()
    (own_folder / "settings.json").write_text(content, encoding="utf-8")
    assert load_settings() == Settings()
    assert "cannot be read" in caplog.text


def test_file_of_a_newer_version_is_not_overwritten(own_folder: Path) -> None:
    own_folder.mkdir()
    newer = json.dumps({"version": 99, "theme": {"hue": 7}})
    (own_folder / "settings.json").write_text(newer, encoding="utf-8")
    save_settings(load_settings())
    assert (own_folder / "settings.json").read_text(encoding="utf-8") == newer


def test_file_of_an_older_version_is_logged_and_replaced_by_the_defaults(
    own_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_folder.mkdir()
    older = {"version": 1, "theme": "dark", "session": {"hear": "dry", "race": ["waveform/SGD"]}}
    (own_folder / "settings.json").write_text(json.dumps(older), encoding="utf-8")
    assert load_settings() == Settings()
    assert "older rtgain" in caplog.text
    save_settings(load_settings())
    assert json.loads((own_folder / "settings.json").read_text(encoding="utf-8"))["version"] == settings.VERSION


def test_unwritable_folder_is_logged(own_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    own_folder.write_text("a file where the folder should be", encoding="utf-8")
    save_settings(Settings(theme="dark"))
    assert "not saved" in caplog.text


def test_recent_files_are_limited_and_unique() -> None:
    settings_ = Settings()
    for number in (1, 2, 3, 1, *range(4, 12)):
        settings_ = settings_.with_recent(f"/{number}.wav")
    assert settings_.recent_files == tuple(f"/{number}.wav" for number in (11, 10, 9, 8, 7, 6, 5, 4))


def test_preset_contains_the_session() -> None:
    config = SessionConfig(input="sine", phase_deg=90.0, loss="waveform", compare=("spectral/Adam",))
    path = save_preset("Phase fails", config)
    assert presets() == {"Phase fails": path}
    assert SessionConfig(**load_preset(path)) == config


@pytest.mark.parametrize("name", ["", "  ", "../evil", "a/b", ".hidden"])
def test_preset_names_with_a_path_are_rejected(name: str, own_folder: Path) -> None:
    with pytest.raises(InputError, match="is not a valid preset name"):
        save_preset(name, SessionConfig())
    assert not own_folder.exists()


def test_two_recordings_of_the_command_line_are_matched_by_loudness() -> None:
    pair = {"input": "a.wav", "target": "b.wav"}
    opened = opening_config(Settings(), SessionConfig(**pair))
    assert (opened.level_match, opened.loop) == ("loudness", True)
    assert opening_config(Settings(), SessionConfig(**pair, level_match="off")).level_match == "off"
    single = opening_config(Settings(), SessionConfig(input="a.wav"))
    assert (single.level_match, single.loop) == ("off", False)


def test_session_of_relative_names_is_restored_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("dry.wav", "target.wav", "second.wav")
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    requested = SessionConfig(input="dry.wav", target="target.wav", target_files=("target.wav", "second.wav"))
    settings = Settings().with_session(opening_config(Settings(), requested))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    restored = opening_config(settings, SessionConfig())
    dry, target, second = (str(tmp_path / name) for name in names)
    assert (restored.input, restored.target, restored.target_files) == (dry, target, (target, second))
    assert opening_config(Settings(), SessionConfig()).input == "demo"
