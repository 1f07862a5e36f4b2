"""Preset files: a session saved as JSON."""

import json
import reprlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rtgain.config.session_config import SessionConfig, first_problem
from rtgain.errors import InputError

PRESET_VERSION = 1


def load_preset(path: Path) -> dict[str, Any]:
    """Read the options that a preset file sets. Raises `InputError` for a file that is not a valid preset."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; --preset expects a preset saved by rtgain") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); --preset expects a preset saved by rtgain") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a preset; save it again from rtgain") from None
    if not isinstance(content, dict) or not isinstance(content.get("session"), dict):
        raise InputError(f"{path}: not a preset: expected an object with 'version' and 'session'")
    version = content.get("version")
    if version != PRESET_VERSION:
        raise InputError(
            f"{path}: preset version {reprlib.repr(version)}; this version of rtgain expects {PRESET_VERSION}"
        )
    try:
        config = SessionConfig(**content["session"])
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from None
    except TypeError:
        raise InputError(f"{path}: not a preset: option names must be strings") from None
    return config.model_dump(exclude_unset=True)


def preset_text(config: SessionConfig) -> str:
    """Serialize `config` as a preset: JSON with a version and the options that differ from their defaults."""
    session = config.model_dump(exclude_defaults=True)
    return json.dumps({"version": PRESET_VERSION, "session": session}, indent=2) + "\n"
