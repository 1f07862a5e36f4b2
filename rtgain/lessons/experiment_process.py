"""Entry point that runs a lesson's experiment in a separate process for the GUI, which never imports torch.

``python -m rtgain.lessons.experiment_process LESSON FOLDER`` writes figures (PNG), sounds (WAV), the animation (GIF)
and the numbers (`NUMBERS`) into the folder. Each line of its standard output is a progress message.
"""

import json
import os
import sys
from pathlib import Path

NUMBERS = "numbers.json"
ANIMATION = "animation.gif"
SEED = 0


def run(lesson: str, folder: Path) -> None:
    """Run the experiment of the lesson `lesson` (a name), and write its results into `folder`."""
    # Imported here, because the GUI imports this module for the names above and must not load torch or matplotlib.
    from rtgain.lessons.experiments.experiment import run_experiment
    from rtgain.lessons.export import wav
    from rtgain.output.animation import gif, render_frames
    from rtgain.output.figures import png

    print("Measuring…", flush=True)
    result = run_experiment(lesson, SEED)
    (folder / NUMBERS).write_text(json.dumps(dict(result.numbers)), encoding="utf-8")
    for name, clip in result.sounds.items():
        (folder / f"{name}.wav").write_bytes(wav(clip))
    for number, (name, draw) in enumerate(result.figures.items(), 1):
        print(f"Drawing figure {number} of {len(result.figures)}…", flush=True)
        (folder / f"{name}.png").write_bytes(png(draw()))
    print("Drawing the animation…", flush=True)
    (folder / ANIMATION).write_bytes(gif(list(render_frames(result.animation()))))


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # audio and estimator have priority
    run(sys.argv[1], Path(sys.argv[2]))
