"""Make the figures of the README again, with the commands that stand next to them there.

Run it as ``.venv/bin/python -m scripts.readme_figures [FOLDER]``; it takes a minute.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]

COMMANDS = (
    "rtgain lesson real-signals --export lessons",
    "rtgain match lessons/real-signals/dry.wav lessons/real-signals/noisy.wav --plot match.png",
    "rtgain lesson waveform-loss --export out",
    "rtgain run --headless --input demo --automation moves.csv --csv gain.csv --plot gain.png",
)

MOVES = "time_s,gain_db\n0,-18\n3,-6\n5,-6\n5,-24\n"
"""Automation of the last command."""

FIGURES = {"match": "match.png", "waveform-loss": "out/waveform-loss/losses.png", "gain": "gain.png"}
"""Names in docs/, and the files that the commands write."""

WIDTH = 1200
COLORS = 32


def main(folder: str = "docs") -> int:
    """Run the commands and write the figures, scaled and with few colors. Returns 0."""
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "moves.csv").write_text(MOVES)
        for command in COMMANDS:
            program = [sys.executable, str(ROOT / "main.py"), *command.split()[1:]]
            subprocess.run(program, cwd=work, check=True, stdout=subprocess.DEVNULL)
        for name, source in FIGURES.items():
            with Image.open(Path(work) / source) as figure:
                size = WIDTH, round(figure.height * WIDTH / figure.width)
                small = figure.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            small.quantize(COLORS, dither=Image.Dither.NONE).save(Path(folder) / f"{name}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
