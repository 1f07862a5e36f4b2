"""Preset files: a session saved as JSON."""

import json
import reprlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rtgain.config.session_config import SessionConfig, _first_problem
from rtgain.errors import InputError

PRESET_VERSION = 1


def load_preset(path: Path) -> dict[str, Any]:
    """The options that a preset file sets, checked. Raises `InputError` for a file that is no preset."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; --preset wants a file that rtgain saved") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); --preset wants a file that rtgain saved") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a preset; save it anew from rtgain") from None
    if not isinstance(content, dict) or not isinstance(content.get("session"), dict):
        raise InputError(f"{path}: no preset: an object with 'version' and 'session' is expected")
    version = content.get("version")
    if version != PRESET_VERSION:
        raise InputError(f"{path}: preset version {reprlib.repr(version)}; this rtgain reads {PRESET_VERSION}")
    try:
        config = SessionConfig(**content["session"])
    except ValidationError as error:
        raise InputError(f"{path}: {_first_problem(error)}") from None
    except TypeError:
        raise InputError(f"{path}: no preset: option names must be text") from None
    return config.model_dump(exclude_unset=True)


def preset_text(config: SessionConfig) -> str:
    """The preset file that reopens `config`: JSON with a version, only what was set."""
    session = config.model_dump(exclude_defaults=True)
    return json.dumps({"version": PRESET_VERSION, "session": session}, indent=2) + "\n"
