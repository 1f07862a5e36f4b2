"""What a session has found by a moment: the contract's CSV, JSON and PNG, and a preset that reopens it."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from rtgain.errors import RtgainError
from rtgain.records.estimate import Estimate
from rtgain.records.history import History, Summary
from rtgain.system.atomic_write import write_atomic, write_error


@dataclass(frozen=True)
class SessionExport:
    """The newest estimates, as rows of `Estimate.to_row`, and the summary of the whole session."""

    config: SessionConfig
    sample_rate: int
    estimates: NDArray[np.float64]
    history: History
    summary: Summary

    def write(self, place: Path, cancelled: Callable[[], bool]) -> Path | None:
        """Write ``gain.csv``, ``session.json``, ``gain.png`` and ``preset.json`` into a new folder in `place`.

        Returns the folder, or None where it was `cancelled`; then, and where it fails, nothing is left there.
        Raises `InputError` for a place that cannot be written.
        """
        folder = place / time.strftime("rtgain %Y-%m-%d %H.%M.%S")
        try:
            folder.mkdir()
        except OSError as error:
            raise write_error(str(folder), error) from None
        try:
            self._write(folder, cancelled)
        except RtgainError:
            shutil.rmtree(folder)
            raise
        if cancelled():
            shutil.rmtree(folder)
            return None
        return folder

    def _write(self, folder: Path, cancelled: Callable[[], bool]) -> None:
        from rtgain.output.output_files import (  # matplotlib and the recorder: only where something is written
            OutputFiles,
            OutputPaths,
        )

        write_atomic(folder / "preset.json", preset_text(self.config).encode())
        names = {"csv": "gain.csv", "json": "session.json", "plot": "gain.png"}
        outputs = OutputFiles(
            OutputPaths(**{kind: str(folder / name) for kind, name in names.items()}), self.sample_rate
        )
        for row in self.estimates:
            if cancelled():
                outputs.discard()
                return
            outputs.add(Estimate.from_row(row))
        outputs.finish(self.summary, self.history)
