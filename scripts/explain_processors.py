"""Table of docs/match.md: findings of `rtgain match` behind processors of FFmpeg, SoX and LADSPA.

    python scripts/explain_processors.py RECORDING

Needs ffmpeg, sox and the LADSPA plug-ins of Debian's swh-plugins.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from rtgain.match.pair import match_pair
from rtgain.number_format import UNKNOWN, format_number

FFMPEG = {
    "acompressor": "acompressor=threshold=0.05:ratio=4:attack=5:release=50:makeup=1",
    "alimiter": "alimiter=level_in=4:limit=0.5:level=disabled:attack=5:release=50",
    "equalizer": "equalizer=f=1000:t=q:w=1:g=6",
    "aecho": "aecho=0.8:0.9:200:0.4",
    "chorus": "chorus=0.5:0.9:50:0.4:0.25:2",
    "atempo": "atempo=1.03",
    "ladspa": "ladspa=file=sc4_1882:plugin=sc4:controls=c0=0|c1=5|c2=50|c3=-26|c4=4|c5=1|c6=0",
}
"""Filters of FFmpeg by name."""

IMPULSE_RESPONSE = r"aevalsrc=if(eq(n\,0)\,0.7\,if(eq(n\,9)\,0.3\,0)):s=44100:d=0.01"
"""Impulse response for `afir`: the sound and, nine frames later, 43 % of it."""

SOX = {
    "compand": ["compand", "0.005,0.05", "-60,-60,-30,-30,0,-22.5"],
    "equalizer (sox)": ["equalizer", "1000", "1q", "6"],
    "reverb": ["reverb", "50"],
    "speed": ["speed", "1.03"],
    "dither to 8 bits": ["dither"],
}
"""Effects of SoX by name."""

CODECS = {"mp3": ["-c:a", "libmp3lame", "-b:a", "128k"], "opus": ["-c:a", "libopus", "-b:a", "64k"]}
"""Options of FFmpeg by the ending of the file."""


def make_targets(dry: Path, folder: Path) -> dict[str, Path]:
    """Process the recording with all of them. Returns the files by the name of the processor."""
    ffmpeg, floats = ["ffmpeg", "-v", "error", "-y", "-i", str(dry)], ["-c:a", "pcm_f32le"]
    targets = {}
    for index, (name, filters) in enumerate(FFMPEG.items()):
        targets[name] = folder / f"ffmpeg-{index}.wav"
        subprocess.run([*ffmpeg, "-af", filters, *floats, str(targets[name])], check=True)
    targets["afir"] = folder / "afir.wav"
    graph = ["-f", "lavfi", "-i", IMPULSE_RESPONSE, "-filter_complex", "[0][1]afir=dry=1:wet=1:gtype=none"]
    subprocess.run([*ffmpeg, *graph, *floats, str(targets["afir"])], check=True)
    for index, (name, effect) in enumerate(SOX.items()):
        targets[name] = folder / f"sox-{index}.wav"
        output = ["-b", "8"] if "8 bits" in name else ["-e", "float", "-b", "32"]
        subprocess.run(["sox", str(dry), *output, str(targets[name]), *effect], check=True, stderr=subprocess.DEVNULL)
    for ending, options in CODECS.items():
        targets[ending] = folder / f"codec.{ending}"
        subprocess.run([*ffmpeg, *options, str(targets[ending])], check=True)
    return targets


def main() -> None:
    dry = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for name, target in make_targets(dry, Path(folder)).items():
            details = match_pair(dry, target)
            assert details is not None
            result = details.result
            gain = UNKNOWN
            if result.gain_db is not None and result.std_db is not None:
                gain = f"{format_number(result.gain_db, 2)} ± {format_number(result.std_db, 2)}"
            findings = " ".join(finding["text"] for finding in result.findings) or "Nothing else differs."
            print(f"| `{name}` | {gain} | `{result.state}` | {findings} |", flush=True)


if __name__ == "__main__":
    main()
