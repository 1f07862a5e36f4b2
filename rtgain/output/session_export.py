"""Writer of a session export: a folder with the CSV, JSON and PNG of the results, and a preset of the options."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rtgain.config.presets import preset_text
from rtgain.errors import RtgainError
from rtgain.records.estimate import Estimate
from rtgain.records.session_export import SessionExport
from rtgain.system.atomic_write import write_atomic, write_error


def write_session_export(
    export: SessionExport,
    parent: Path,
    cancelled: Callable[[], bool],
    write_more: Callable[[Path], None] = lambda folder: None,
) -> Path | None:
    """Write ``gain.csv``, ``session.json``, ``gain.png`` and ``preset.json`` into a new folder in `parent`.

    `write_more` then adds further files to that folder.

    Returns the folder, or None if `cancelled`. Neither a cancelled nor a failed export leaves a folder.
    Raises `InputError` if `parent` cannot be written.
    """
    folder = parent / time.strftime("rtgain %Y-%m-%d %H.%M.%S")
    try:
        folder.mkdir()
    except OSError as error:
        raise write_error(str(folder), error) from None
    try:
        _write_files(export, folder, cancelled)
        if not cancelled():
            write_more(folder)
    except RtgainError:
        shutil.rmtree(folder)
        raise
    if cancelled():
        shutil.rmtree(folder)
        return None
    return folder


def _write_files(export: SessionExport, folder: Path, cancelled: Callable[[], bool]) -> None:
    from rtgain.output.output_files import (  # imports matplotlib and soundfile, which only an export needs
        OutputFiles,
        OutputPaths,
    )

    write_atomic(folder / "preset.json", preset_text(export.config).encode())
    names = {"csv": "gain.csv", "json": "session.json", "plot": "gain.png"}
    paths = OutputPaths(**{kind: str(folder / name) for kind, name in names.items()})
    outputs = OutputFiles(paths, export.sample_rate)
    for row in export.estimates:
        if cancelled():
            outputs.discard()
            return
        outputs.add(Estimate.from_row(row))
    outputs.finish(export.summary, export.history)
