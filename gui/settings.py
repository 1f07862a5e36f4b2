"""What the window remembers from run to run, in a versioned file where the system keeps such things."""

import json
import logging
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from rtgain.config.names import CHANNEL_OPTIONS
from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.system.atomic_write import write_atomic

ThemeChoice = Literal["system", "light", "dark"]

VERSION = 1
RECENT_FILES = 8

NOT_PERSISTED = {"clock", "block", "sample_rate", "duration", "automation", "seed"}
"""Options that are about one run, not about how somebody works."""

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """Window, theme, files, the session and the lesson's step as they were left; `step` counts from 0."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = VERSION
    theme: ThemeChoice = "system"
    geometry: str = ""
    recent_files: tuple[str, ...] = ()
    session: dict[str, Any] = {}
    lesson: str = ""
    step: int = 0

    def with_recent(self, path: str) -> Self:
        """`path` first among the recent files."""
        others = [other for other in self.recent_files if other != path]
        return self.model_copy(update={"recent_files": (path, *others)[:RECENT_FILES]})

    def with_session(self, config: SessionConfig) -> Self:
        """The options of `config` that are worth remembering."""
        return self.model_copy(
            update={"session": config.model_dump(mode="json", exclude_defaults=True, exclude=NOT_PERSISTED)}
        )

    def session_for(self, asked: SessionConfig) -> SessionConfig:
        """The session as it was left, with what is `asked` for by name in its place.

        A file that has gone since, and options that this version does not know, are left out.
        """
        left = {name: value for name, value in self.session.items() if name in SessionConfig.model_fields}
        source = left.get("input", "demo")
        given = asked.model_dump(include=asked.model_fields_set)
        if given.keys() & {"input", "input_device", "output_device", "target"}:
            left = _without_channels(left)
        try:
            config = SessionConfig(**(left | given))
        except ValidationError:
            return asked
        if "input" not in given and config.is_file and not Path(source).is_file():
            log.info("%s has gone; the demo plays instead", source)
            return SessionConfig(**(_without_channels(left) | {"input": "demo", "target": "reference"} | given))
        return config


def _without_channels(session: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in session.items() if name not in CHANNEL_OPTIONS}


def folder() -> Path:
    """Where settings and presets are."""
    return platformdirs.user_config_path("rtgain", appauthor=False)


def load_settings() -> Settings:
    """The settings as they were left; the defaults where there are none or they cannot be read, which is logged."""
    path = folder() / "settings.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] > VERSION:
            log.warning("%s is of a newer rtgain; it is left as it is", path)
            return Settings(version=content["version"])
        return Settings(**content)
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read (%s); beginning with the defaults", path, error)
        return Settings()


def save_settings(settings: Settings) -> None:
    """Remember `settings`; a file of a newer rtgain is left as it is, and a place that cannot be written is logged."""
    if settings.version > VERSION:
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_atomic(folder() / "settings.json", settings.model_dump_json(indent=2).encode())
    except (OSError, InputError) as error:
        log.warning("the settings are not remembered: %s", error)


def presets() -> dict[str, Path]:
    """The presets that were saved, by name."""
    return {path.stem: path for path in sorted((folder() / "presets").glob("*.json"))}


def save_preset(name: str, config: SessionConfig) -> Path:
    """Keep `config` as the preset `name`. Raises `InputError` where that cannot be a file's name or be written."""
    path = folder() / "presets" / f"{name.strip()}.json"
    if not name.strip() or path.parent != folder() / "presets" or name.startswith("."):
        raise InputError(f"{name!r} cannot be the name of a preset; use letters, digits and spaces")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made ({error.strerror})") from None
    write_atomic(path, preset_text(config).encode())
    return path
