"""Settings that the GUI saves between runs, in a versioned file in the user's configuration folder, and presets."""

import json
import logging
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from rtgain.config.names import CHANNEL_OPTIONS, TARGETS
from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.system.atomic_write import write_atomic

ThemeChoice = Literal["system", "light", "dark"]
Workspace = Literal["compare", "laboratory"]

VERSION = 2
"""Version of the file. Files of older versions are ignored: names of options and lessons have changed."""

RECENT_FILES = 8

NOT_PERSISTED = {"clock", "block", "sample_rate", "duration", "start", "end", "automation", "eq", "seed"}
"""Options that apply to one run only."""

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """Window geometry, theme, recent files, session options and lesson step (from 0) of the last run.

    `workspace` is that of a session with two recordings; all others open in the Laboratory.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = VERSION
    theme: ThemeChoice = "system"
    geometry: str = ""
    recent_files: tuple[str, ...] = ()
    session: dict[str, Any] = {}
    workspace: Workspace = "compare"
    lesson: str = ""
    step: int = 0

    def with_recent(self, path: str) -> Self:
        """Return the settings with `path` first among the recent files."""
        others = [other for other in self.recent_files if other != path]
        return self.model_copy(update={"recent_files": (path, *others)[:RECENT_FILES]})

    def with_session(self, config: SessionConfig) -> Self:
        """Return the settings with the options of `config`, except `NOT_PERSISTED`."""
        return self.model_copy(
            update={"session": config.model_dump(mode="json", exclude_defaults=True, exclude=NOT_PERSISTED)}
        )

    def session_for(self, requested: SessionConfig) -> SessionConfig:
        """Return the saved session, overridden by the options that are explicitly set in `requested`.

        A file that does not exist any more becomes the demo, or as a target the reference path. Unknown options are
        ignored.
        """
        saved = {name: value for name, value in self.session.items() if name in SessionConfig.model_fields}
        source = saved.get("input", "demo")
        given = requested.model_dump(include=requested.model_fields_set)
        if given.keys() & {"input", "input_device", "output_device", "target"}:
            saved = _without_channels(saved)
        recording = saved.get("target", "reference")
        if "target" in given:
            saved.pop("target_files", None)
        elif "target_files" in saved:
            saved["target_files"] = [name for name in saved["target_files"] if Path(name).is_file()]
        if recording not in TARGETS and ("input" in given or not Path(recording).is_file()):
            saved.pop("target")  # it belongs to the saved input
            saved.pop("target_files", None)
        try:
            config = SessionConfig(**(saved | given))
        except ValidationError:
            return requested
        if "input" not in given and config.is_file and not Path(source).is_file():
            log.info("%s does not exist any more; the demo plays instead", source)
            demo = {"input": "demo", "target": "reference", "target_files": ()}
            return SessionConfig(**(_without_channels(saved) | demo | given))
        return config


def _without_channels(session: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in session.items() if name not in CHANNEL_OPTIONS}


def folder() -> Path:
    """Return the folder of settings and presets."""
    return platformdirs.user_config_path("rtgain", appauthor=False)


def load_settings() -> Settings:
    """Read the settings; the defaults if there are none, or, with a line in the log, if they cannot be used."""
    path = folder() / "settings.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] > VERSION:
            log.warning("%s was written by a newer rtgain; it is not changed", path)
            return Settings(version=content["version"])
        if content["version"] < VERSION:
            log.warning("%s was written by an older rtgain; using the defaults", path)
            return Settings()
        return Settings(**content)
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read (%s); using the defaults", path, error)
        return Settings()


def save_settings(settings: Settings) -> None:
    """Write `settings`, unless the file is of a newer rtgain; an error is logged."""
    if settings.version > VERSION:
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_atomic(folder() / "settings.json", settings.model_dump_json(indent=2).encode())
    except (OSError, InputError) as error:
        log.warning("the settings were not saved: %s", error)


def presets() -> dict[str, Path]:
    """Return the files of all saved presets, by name."""
    return {path.stem: path for path in sorted((folder() / "presets").glob("*.json"))}


def save_preset(name: str, config: SessionConfig) -> Path:
    """Save `config` as the preset `name`. Raises `InputError` if `name` is not a file name or cannot be written."""
    path = folder() / "presets" / f"{name.strip()}.json"
    if not name.strip() or path.parent != folder() / "presets" or name.startswith("."):
        raise InputError(f"{name!r} is not a valid preset name; use letters, digits and spaces")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be created ({error.strerror})") from None
    write_atomic(path, preset_text(config).encode())
    return path
