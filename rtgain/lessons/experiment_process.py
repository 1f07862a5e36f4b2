"""A lesson's experiment in a process of its own: the window, which never imports torch, shows what it leaves.

``python -m rtgain.lessons.experiment_process LESSON FOLDER`` writes figures (PNG), sounds (WAV), the animation (GIF)
and the numbers (`NUMBERS`) into the folder. Each line of its standard output says what it does next.
"""

import json
import os
import sys
from pathlib import Path

NUMBERS = "numbers.json"
ANIMATION = "animation.gif"
SEED = 0


def run(lesson: str, folder: Path) -> None:
    """Run the experiment of the lesson of that name."""
    # The window, which reads the names below, is not to load what these need.
    from rtgain.lessons.experiments.experiment import run_experiment
    from rtgain.lessons.export import wav
    from rtgain.output.animation import gif, pictures
    from rtgain.output.figures import png

    print("Measuring…", flush=True)
    exhibits = run_experiment(lesson, SEED)
    (folder / NUMBERS).write_text(json.dumps(dict(exhibits.numbers)), encoding="utf-8")
    for name, sound in exhibits.sounds.items():
        (folder / f"{name}.wav").write_bytes(wav(sound))
    for place, (name, draw) in enumerate(exhibits.figures.items(), 1):
        print(f"Drawing figure {place} of {len(exhibits.figures)}…", flush=True)
        (folder / f"{name}.png").write_bytes(png(draw()))
    print("Drawing the animation…", flush=True)
    (folder / ANIMATION).write_bytes(gif(list(pictures(exhibits.film()))))


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # what plays, and what estimates, goes first
    run(sys.argv[1], Path(sys.argv[2]))
