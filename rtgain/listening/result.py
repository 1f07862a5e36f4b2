"""Result of a listening test as JSON, with everything that is needed to repeat it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtgain import __version__
from rtgain.errors import InputError
from rtgain.listening.blind_test import BlindTest
from rtgain.records.level_match import LevelMatch

RESULT_VERSION = 1


@dataclass(frozen=True)
class RecordingIdentity:
    """Path and SHA-256 hash (hexadecimal) of a recording."""

    path: str
    sha256: str


def identify_recording(path: Path) -> RecordingIdentity:
    """Compute the hash of a file. Raises `InputError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return RecordingIdentity(str(path), hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); choose another file") from None


@dataclass(frozen=True)
class ListeningConditions:
    """Conditions of a listening test.

    Attributes:
        started: date and time as ISO 8601.
        dry, target: the recordings.
        start_s, end_s: section in the dry recording's own time; None for its start or its end.
        level_match: differences in level and the trims.
    """

    started: str
    dry: RecordingIdentity
    target: RecordingIdentity
    start_s: float | None
    end_s: float | None
    level_match: LevelMatch


def result_object(test: BlindTest, conditions: ListeningConditions) -> dict[str, Any]:
    """Return the result of `test` as an object for JSON."""
    return {
        "version": RESULT_VERSION,
        "rtgain": __version__,
        "test": test.kind,
        "started": conditions.started,
        "dry": vars(conditions.dry),
        "target": vars(conditions.target),
        "start_s": conditions.start_s,
        "end_s": conditions.end_s,
        "level_match": conditions.level_match.to_object(),
        "planned_trials": test.planned_trials,
        "answered_trials": len(test.trials),
        "was_stopped": test.was_stopped,
        **test.score(),
        "sentence": test.sentence(),
        "trials": test.trial_objects(),
    }


def result_json(test: BlindTest, conditions: ListeningConditions) -> str:
    """Serialize the result of `test`, one field per line."""
    return json.dumps(result_object(test, conditions), indent=2, allow_nan=False) + "\n"
