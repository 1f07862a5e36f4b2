"""Invalid commands with the error line of each; `python -m tests.bad_inputs` prints them as a table.

The commands run in a folder of `make_bad_files`. Lines are given up to the part that depends on installed packages.
"""

import shlex
import tempfile
from contextlib import chdir, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rtgain.cli.main import main
from tests.bad_files import make_bad_files


@dataclass(frozen=True)
class BadInput:
    """A `command` without the word ``rtgain``, and the beginning of its error `line`, without ``rtgain:``."""

    name: str
    command: str
    line: str

    @property
    def words(self) -> list[str]:
        """Arguments for `rtgain.cli.main.main`."""
        return shlex.split(self.command)


def _runs(option: str, *cases: tuple[str, str, str]) -> list[BadInput]:
    """Make headless sessions with every output; each case is a name, the value of an option, and a line."""
    outputs = "--csv t.csv --json s.json --record m.wav --plot p.png"
    return [
        BadInput(name, f"run --headless {outputs} {option} {value}".strip(), line.format(value.split()[0]))
        for name, value, line in cases
    ]


def _commands(command: str, *cases: tuple[str, str, str]) -> list[BadInput]:
    return [BadInput(name, f"{command} {arguments}".strip(), line) for name, arguments, line in cases]


_FORMATS = "WAV, FLAC, MP3, OGG, Opus, M4A/AAC, AIFF, CAF, WMA and the sound of MP4, MOV, MKV, WebM"
_TEXT = f"{{}}: is a text file, not a sound file; supported: {_FORMATS}"
_UNKNOWN = f"{{}}: is not a readable sound file; supported: {_FORMATS}"
_EMPTY = "{}: contains no audio (zero frames); if the recorder did not close the file, repair it with: sox "
_NO_PRESET = "{}: not a preset: expected an object with 'version' and 'session'"
_HEADER = "{}: the first line must be time_s,gain_db"
_TWO_NUMBERS = "{}, line 2: expected two numbers, time_s,gain_db"

_NO_PAIR = "--target: a recording is compared with another one; give that with --input FILE"

OPTIONS = _runs(
    "",
    ("option that there is not", "--volume 3", "unrecognized arguments: --volume 3; see rtgain --help"),
    ("option cut short", "--gain-d 3", "unrecognized arguments: --gain-d 3; see rtgain --help"),
    ("file without its option", "song.wav", "unrecognized arguments: song.wav; see rtgain --help"),
    ("option without a value", "--input", "argument --input: expected one argument; see rtgain run --help"),
    ("clock that there is not", "--clock slow", "argument --clock: invalid choice: 'slow' "),
    ("loss that there is not", "--loss l1", "--loss: 'l1' is not one of waveform, spectral"),
    ("optimizer that there is not", "--optimizer LBFGS", "--optimizer: 'LBFGS' is not one of Adadelta, "),
    ("word for a number", "--gain-db loud", "argument --gain-db: 'loud' is not a number; "),
    ("NaN for a number", "--gain-db nan", "argument --gain-db: 'nan' is not a finite number; "),
    ("infinity for a number", "--gain inf", "argument --gain: 'inf' is not a finite number; "),
    ("gain too high", "--gain-db 60.5", "--gain-db: should be less than or equal to 60, not 60.5"),
    ("gain too low", "--gain-db -120.5", "--gain-db: should be greater than or equal to -120, not -120.5"),
    ("linear gain too low", "--gain 1e-7", "--gain-db: should be greater than or equal to -120, not -140.0"),
    (
        "gain of nothing",
        "--gain 0",
        "--gain 0 mutes the target; a gain cannot be estimated from silence, so use another",
    ),
    ("two gains", "--gain 0.5 --gain-db -6", "--gain and --gain-db both set the reference gain; give one of them"),
    ("phase beyond a turn", "--phase-deg 361", "--phase-deg: should be less than or equal to 360, not 361.0"),
    ("delay into the future", "--delay-ms -1", "--delay-ms: should be greater than or equal to 0, not -1.0"),
    ("delay too long", "--delay-ms 1001", "--delay-ms: should be less than or equal to 1000, not 1001.0"),
    ("noise beyond full scale", "--noise-dbfs 1", "--noise-dbfs: should be less than or equal to 0, not 1.0"),
    ("polarity that there is not", "--polarity up", "argument --polarity: invalid choice: 'up' "),
    ("rate of nothing", "--lr 0", "--lr: should be greater than 0, not 0.0"),
    ("no steps", "--steps 0", "--steps: should be greater than or equal to 1, not 0"),
    ("part of a step", "--steps 1.5", "argument --steps: '1.5' is not a whole number; "),
    ("no window", "--window-ms 0", "--window-ms: should be greater than 0, not 0.0"),
    (
        "window beyond memory",
        "--window-ms 500 --sample-rate 768000",
        "--window-ms: 500 ms at 768000 Hz are 524288 frames, more than the estimator can process; use at most 170 ms",
    ),
    ("hop beyond the window", "--hop-ms 100", "--hop-ms: the hop is longer than the window; use at most --window-ms"),
    ("no time", "--duration 0", "--duration: should be greater than 0, not 0.0"),
    ("too much time", "--duration 1e308", "--duration: should be less than or equal to 10000000, not 1e+308"),
    ("less time than a window", "--duration 0.05", "demo: lasts 2400 frames at 48000 Hz, less than one analysis wind"),
    ("no block", "--block 0", "--block: should be greater than or equal to 1, not 0"),
    ("sample rate too low", "--sample-rate 3999", "--sample-rate: should be greater than or equal to 4000, not 3999"),
    ("seed below zero", "--seed -1", "--seed: should be greater than or equal to 0, not -1"),
    ("loop that never ends", "--input ok.wav --loop", "--loop never ends on the offline clock; give a --duration"),
    (
        "microphone too fast",
        "--input mic --clock offline",
        "--clock: 'offline' is not valid for a microphone; use --clock device",
    ),
    ("three channels of a pair", "--channels 3", "argument --channels: invalid choice: '3' (choose from "),
    (
        "letters for a channel",
        "--input stereo.wav --dry-channel left",
        "argument --dry-channel: 'left' is not a channel number, or two as 1,2; see rtgain run --help",
    ),
    (
        "comma without a channel",
        "--input stereo.wav --dry-channel 1,",
        "argument --dry-channel: '1,' is not a channel number, or two as 1,2; see rtgain run --help",
    ),
    (
        "three channels for two",
        "--input stereo.wav --dry-channel 1,2,3",
        "--dry-channel: 3 channels are given; give one, or two as 1,2",
    ),
    (
        "one channel as two",
        "--input stereo.wav --dry-channel 1,1",
        "--dry-channel: channel 1 is given twice; give two different channels",
    ),
    (
        "two channels in mono",
        "--input stereo.wav --channels 1 --dry-channel 1,2",
        "--dry-channel: two channels are given, but --channels is 1; give one, or use --channels 2",
    ),
    (
        "one channel in stereo",
        "--input stereo.wav --channels 2 --dry-channel 2",
        "--dry-channel: one channel is given, but --channels is 2; give two as 1,2",
    ),
    (
        "two channels against one",
        "--input stereo.wav --target channel --dry-channel 1,2 --target-channel 3",
        "--target-channel: selects one channel, but --dry-channel selects two; give as many for both",
    ),
    (
        "stereo of one channel",
        "--input ok.wav --channels 2",
        "ok.wav: has one channel, but a stereo session needs two; ",
    ),
    ("second channel of one", "--target channel", "--target: 'channel' needs a two-channel file or mic; "),
    (
        "gain moved where there is none",
        "--input stereo.wav --target channel --automation a.csv",
        "--automation: only valid with --target reference",
    ),
    (
        "channel of nothing",
        "--input stereo.wav --dry-channel 0",
        "--dry-channel: should be greater than or equal to 1, not 0",
    ),
    (
        "channel of one",
        "--dry-channel 2",
        "--dry-channel: only valid for a file or mic; for a synthetic source use --channels",
    ),
    (
        "target of the dry",
        "--input stereo.wav --target-channel 2",
        "--target-channel: only valid with --target channel or return",
    ),
    (
        "channel twice",
        "--input stereo.wav --target channel --dry-channel 2",
        "--target-channel: channel 2 is already the dry channel; choose another",
    ),
    (
        "output that nothing returns from",
        "--input stereo.wav --output-channel 1",
        "--output-channel: only valid with --target return",
    ),
    ("recording against a microphone", "--input mic --target ok.wav", _NO_PAIR),
    ("recording against the demo", "--target ok.wav", _NO_PAIR),
    (
        "channel of a second recording",
        "--input stereo.wav --target stereo.wav --dry-channel 1",
        "--dry-channel: not valid with a second recording, which is compared in all channels",
    ),
    (
        "gain moved between two recordings",
        "--input ok.wav --target ok.wav --automation a.csv",
        "--automation: only valid with --target reference",
    ),
    ("start of no file", "--start 1", "--start: only valid for a file; give one with --input"),
    ("start below zero", "--input ok.wav --start -1", "--start: should be greater than or equal to 0, not -1.0"),
    (
        "end before the start",
        "--input ok.wav --start 0.3 --end 0.2",
        "--end: 0.2 s is not after --start 0.3 s; give a later time",
    ),
    (
        "start beyond the end",
        "--input ok.wav --start 2",
        "--start 2: ok.wav has no sound to play there; choose times from 0.000 to 0.500 s",
    ),
    ("two tables into one pipe", "--csv - --json -", "--csv - and --json -: only one can be standard output; "),
    (
        "two texts into one pipe",
        "--processor eq --json - --eq-out -",
        "--json - and --eq-out -: only one can be standard output; name a file for the other",
    ),
)

SOUNDS = _runs(
    "--input",
    ("missing file", "missing.wav", "{}: does not exist; check the path"),
    ("empty file", "empty.wav", "{}: is empty (0 bytes); record or copy it again"),
    ("text", "text.wav", _TEXT),
    ("web page", "page.mp3", _TEXT),
    ("headerless sound", "letters.raw", _TEXT),
    ("directory", "folder", f"{{}}: is a directory; name a sound file in it ({_FORMATS})"),
    ("named pipe", "pipe.wav", f"{{}}: is not a regular file; save the audio to a file first ({_FORMATS})"),
    ("link to nowhere", "nowhere.wav", "{}: does not exist; check the path"),
    ("link in a circle", "circle.wav", "{}: cannot be opened (Too many levels of symbolic links); check the path"),
    ("name too long", "a" * 300, "{}: cannot be opened (File name too long); check the path"),
    ("WAV cut short", "cut.wav", "{}: truncated: the header declares 960000 bytes of audio, but only 29956 are "),
    ("FLAC cut short", "cut.flac", "{}: truncated: the header declares 0:10.000, but the end cannot be read; "),
    ("Ogg cut short", "cut.ogg", "{}: truncated: the last page is missing; download or copy it again, or save the"),
    ("MP3 cut short", "cut.mp3", "{}: truncated: the header declares "),
    ("AIFF cut short", "cut.aiff", "{}: truncated: the header declares 960008 bytes of audio, but only 29954 are "),
    ("M4A cut short", "cut.m4a", "{}: truncated: the header declares "),
    ("film without sound", "pictures.mp4", "{}: has no audio stream, only pictures or text; choose a file with sound"),
    ("FLAC with a hole", "damaged.flac", "{}: cannot be read after 0:04."),
    ("one frame", "one.wav", "{}: lasts 1 frames at 48000 Hz, less than one analysis window of 4096; use a longer"),
    ("hundred frames", "hundred.wav", "{}: lasts 100 frames at 48000 Hz, less than one analysis window of 4096; "),
    ("rate of 1 kHz", "slow.wav", "{}: has a sample rate of 1000 Hz, outside 4000 to 768000 Hz; resample it with:"),
    ("rate of 800 kHz", "fast.wav", "{}: has a sample rate of 800000 Hz, outside 4000 to 768000 Hz; resample it "),
    ("NaN in it", "nan.wav", "{}: contains NaN or infinite samples, the first at 0:00.750 (frame 36000); re-encode"),
    ("infinity in it", "infinite.wav", "{}: contains NaN or infinite samples, the first at 0:00.750 (frame 36000); "),
    ("four letters", "riff.wav", _TEXT),
    ("three letters of a tag", "tag.mp3", _TEXT),
    ("header alone", "header.wav", _EMPTY),
    ("WAV without sound", "no-sound.wav", _EMPTY),
    ("WAV without a format", "no-format.wav", _UNKNOWN),
    ("WAV of an unknown codec", "codec.wav", "{}: has an audio codec that FFmpeg cannot decode; save it as WAV "),
    ("WAV without channels", "no-channels.wav", _UNKNOWN),
    ("WAV without a rate", "no-rate.wav", _UNKNOWN),
    ("picture", "picture.wav", _UNKNOWN),
    ("noise of bytes", "random.wav", _UNKNOWN),
    ("zeros", "zeros.flac", _UNKNOWN),
    ("packed file", "packed.wav", _UNKNOWN),
    ("dry channel that is not there", "stereo.wav --dry-channel 3", "{}: has 2 channels, not 3; choose others with "),
    ("target that is not there", "stereo.wav --target channel --target-channel 4", "{}: has 2 channels, not 4; choo"),
    ("two pairs of one", "stereo.wav --target channel --channels 2", "{}: has 2 channels, not 4; choose others with "),
    ("one channel of two", "ok.wav --target channel", "{}: has one channel, but two are needed (dry left, target rig"),
)  # fmt: skip

TARGETS = _runs(
    "--input ok.wav --target",
    ("target file that is missing", "missing.wav", "{}: does not exist; check the path"),
    ("text for a target", "text.wav", _TEXT),
    ("empty target", "empty.wav", "{}: is empty (0 bytes); record or copy it again"),
    ("target cut short", "cut.flac", "{}: truncated: the header declares 0:10.000, but the end cannot be read; "),
    ("NaN in a target", "nan.wav", "{}: contains NaN or infinite samples, the first at 0:00.750 (frame 36000); "),
    (
        "target shorter than a window",
        "hundred.wav",
        "ok.wav and {}: their common part lasts 100 frames at 48000 Hz, less than one analysis window of 4096; ",
    ),
    ("stereo of two channels less", "ok.wav --channels 2", "{}: has one channel, but a stereo session needs two; "),
    ("recording over the target", "stereo.wav --record stereo.wav", "--record {}: is also an input; choose another "),
    ("end outside of the common part", "ok.wav --start 0.5", "--start 0.5: {} has no sound to play there; choose "),
)

PRESETS = _runs(
    "--preset",
    ("missing preset", "missing.json", "{}: No such file or directory; --preset expects a preset saved by rtgain"),
    ("directory for a preset", "folder", "{}: Is a directory; --preset expects a preset saved by rtgain"),
    ("sound for a preset", "ok.wav", "{}: not JSON ("),
    (
        "empty preset",
        "empty.json",
        "{}: not JSON (Expecting value: line 1 column 1 (char 0)); --preset expects a preset ",
    ),
    ("half a preset", "half.json", "{}: not JSON (Unterminated string starting at"),
    ("YAML for a preset", "yaml.json", "{}: not JSON ("),
    ("pickle for a preset", "pickle.json", "{}: not JSON ('utf-8' codec can't decode byte 0x80 in position 0: "),
    ("preset in Latin-1", "latin.json", "{}: not JSON ('utf-8' codec can't decode byte 0xe4 in position 38: "),
    ("number of 5000 digits", "digits.json", "{}: not JSON ("),
    ("preset nested without end", "nested.json", "{}: nested too deeply for a preset; save it again from rtgain"),
    ("list for a preset", "bare.json", _NO_PRESET),
    ("list for a session", "list.json", _NO_PRESET),
    ("newer preset", "newer.json", "{}: preset version 2; this version of rtgain expects 1"),
    ("version in quotes", "spelled.json", "{}: preset version '1'; this version of rtgain expects 1"),
    ("no version", "unversioned.json", "{}: preset version None; this version of rtgain expects 1"),
    ("unknown option in a preset", "unknown.json", "{}: 'volume' is not a session option; remove it"),
    ("gain too high in a preset", "loud.json", "{}: --gain-db: should be less than or equal to 60, not 61"),
    ("word for a gain in a preset", "word.json", "{}: --gain-db: should be a valid number, unable to parse string "),
    ("NaN in a preset", "nan.json", "{}: --gain-db: should be a finite number, not nan"),
    ("null for a name", "null.json", "{}: --input: should be a valid string, not None"),
    ("no name", "unnamed.json", "{}: --input: is empty; give the name of a file"),
    ("NUL in a name", "nul.json", "{}: --input: 'a\\x00b.wav' contains a NUL character; choose another name"),
    ("name that is no text", "surrogate.json", "{}: --input: '\\udc80.wav' is not valid UTF-8; rename the file"),
    ("code in a preset", "code.json", "{}: --loss: \"__import__('os').system('true')\" is not one of waveform, "),
)

AUTOMATIONS = _runs(
    "--input ok.wav --automation",
    (
        "missing automation",
        "missing.csv",
        "{}: No such file or directory; --automation expects a CSV of time_s,gain_db",
    ),
    ("directory for an automation", "folder", "{}: Is a directory; --automation expects a CSV of time_s,gain_db"),
    ("sound for an automation", "ok.wav", "{}: not a CSV text file ("),
    ("empty automation", "empty.csv", _HEADER),
    ("other columns", "header.csv", _HEADER),
    ("no header", "headless.csv", _HEADER),
    ("semicolons", "comma.csv", _HEADER),
    ("no rows", "rowless.csv", "{}: has no rows; give at least one of time_s,gain_db"),
    ("time that runs back", "back.csv", "{}, line 3: earlier than the previous line; sort by time_s"),
    ("NaN for a gain", "nan.csv", "{}, line 2: gain_db must be from -120 to 60"),
    ("gain too high in a row", "loud.csv", "{}, line 2: gain_db must be from -120 to 60"),
    ("time before the start", "before.csv", "{}, line 2: time_s must be from 0 to 10000000 seconds"),
    ("time without end", "never.csv", "{}, line 2: time_s must be from 0 to 10000000 seconds"),
    ("word for a gain in a row", "word.csv", _TWO_NUMBERS),
    ("three numbers", "three.csv", _TWO_NUMBERS),
    ("NUL in a row", "nul.csv", _TWO_NUMBERS),
    (
        "automation in Latin-1",
        "latin.csv",
        "{}: not a CSV text file ('utf-8' codec can't decode byte 0xfc in position 21: ",
    ),
    ("bytes for an automation", "binary.csv", "{}: not a CSV text file ("),
    (
        "cell without end",
        "wide.csv",
        "{}: not a CSV text file (field larger than field limit (131072)); --automation expects ",
    ),
)

EQUALIZERS = _runs(
    "--input ok.wav --eq",
    ("missing equalizer", "missing.txt", "{}: No such file or directory; --eq expects a text of filters"),
    ("sound for an equalizer", "ok.wav", "{}: not a text file in UTF-8; --eq expects a text of filters"),
    (
        "table for an equalizer",
        "comma.csv",
        "{}, line 1: expected 'Preamp: … dB' or 'Filter 1: ON PK Fc … Hz Gain … dB Q …'",
    ),
    (
        "equalizer between two recordings",
        "eq.txt --target ok.wav",
        "--eq: only valid with --target reference",
    ),
)

PLACES = _runs(
    "--input ok.wav",
    ("no such directory", "--csv none/t.csv", "--csv none/t.csv: the directory none does not exist; create it first"),
    ("directory for an output", "--json folder", "--json folder: is a directory; name a file in it"),
    ("one file twice", "--csv same --json ./folder/../same", "--json ./folder/../same: is also the file of --csv; "),
    ("over the input", "--record folder/../ok.wav", "--record folder/../ok.wav: is also an input; choose another name"),
    ("over the input, by a link", "--record link.wav", "--record link.wav: is also an input; choose another name"),
    ("over the equalizer", "--eq eq.txt --csv eq.txt", "--csv eq.txt: is also an input; choose another name"),
    ("over the automation", "--automation a.csv --csv a.csv", "--csv a.csv: is also an input; choose another name"),
    ("figure that is no PNG", "--plot p.jpg", "--plot p.jpg: figures are PNG; use a name that ends in .png"),
    ("recording that is no WAV", "--record m.mp3", "m.mp3: recordings are WAV or FLAC; use a name ending in .wav or "),
    ("output's name too long", f"--csv {'a' * 300}", f"--csv {'a' * 300}: cannot be written (File name too long); "),
)  # fmt: skip

MANIFESTS = _commands(
    "match --csv results.csv --manifest",
    (
        "missing manifest",
        "missing.csv",
        "missing.csv: No such file or directory; --manifest expects a CSV with columns ",
    ),
    ("directory for a manifest", "folder", "folder: Is a directory; --manifest expects a CSV with columns dry,target"),
    ("empty manifest", "empty.csv", "empty.csv: has no column 'dry'; its first line must name dry and target"),
    ("no column of targets", "no-target.csv", "no-target.csv: has no column 'target'; its first line must name "),
    ("column twice", "twice.csv", "twice.csv: names a column twice; rename one"),
    ("column of ours", "ours.csv", "ours.csv: the column name 'gain_db' is reserved; rename it"),
    ("row too short", "short.csv", "short.csv, line 2: expected 3 cells"),
    ("row too long", "long.csv", "long.csv, line 2: expected 2 cells"),
    (
        "quote without end",
        "quoted.csv",
        "quoted.csv: not a CSV text file (unexpected end of data); --manifest expects columns ",
    ),
    ("bytes for a manifest", "binary.csv", "binary.csv: not a CSV text file ("),
    ("manifest in Latin-1", "latin.csv", "latin.csv: not a CSV text file ("),
    ("results over the manifest", "pairs.csv --csv pairs.csv", "--csv pairs.csv: is the manifest; name another file"),
    (
        "results over something else",
        "pairs.csv --csv other.csv",
        "--csv other.csv: contains other data than this manifest's results",
    ),
    ("results in no directory", "pairs.csv --csv none/r.csv", "none/r.csv: cannot be written (No such file or direc"),
    ("results in a pipe", "pairs.csv --csv -", "match: --manifest needs --csv FILE for its results"),
    ("no jobs", "pairs.csv --jobs 0", "--jobs 0: must be at least 1"),
    ("word for jobs", "pairs.csv --jobs two", "argument --jobs: 'two' is not a whole number; see rtgain match --help"),
    ("JSON of many", "pairs.csv --json s.json", "match: --json, --plot, --record and --eq-out are for one pair; a "),
    ("pair and manifest", "pairs.csv ok.wav ok.wav", "match: give either DRY and TARGET, or --manifest"),
)

COMMANDS = [
    *_commands(
        "match",
        ("nothing to match", "", "match: needs two recordings; give DRY and TARGET, or --manifest PAIRS.csv"),
        ("one recording", "ok.wav", "match: needs two recordings; give DRY and TARGET, or --manifest PAIRS.csv"),
        ("three recordings", "ok.wav ok.wav ok.wav", "unrecognized arguments: ok.wav; see rtgain --help"),
        ("missing target", "ok.wav missing.wav", "missing.wav: does not exist; check the path"),
        (
            "text to match",
            "text.wav ok.wav",
            _TEXT.format("text.wav"),
        ),
        ("NaN to match", "ok.wav nan.wav", "nan.wav: contains NaN or infinite samples, the first at 0:00.750 "),
        (
            "too short to match",
            "hundred.wav ok.wav",
            "hundred.wav, ok.wav: their common part has 100 frames; at least 512 are required",
        ),
        ("matched over its source", "ok.wav ok.wav --record ok.wav", "--record ok.wav: is also an input; choose anoth"),
        ("matched as MP3", "ok.wav ok.wav --record m.mp3", "m.mp3: recordings are WAV or FLAC; use a name ending in "),
        (
            "table of one pair",
            "ok.wav ok.wav --csv t.csv",
            "match: --csv, --jobs, --cluster and --report are for --man",
        ),
    ),
    *_commands(
        "bench",
        ("benchmark that there is not", "slow", "bench: 'slow' is not one of accuracy, tracking, "),
        (
            "two tables into one file",
            "accuracy tracking --json b.json",
            "--json holds the table of one benchmark; name one",
        ),
        ("figure of another one", "accuracy --plot p.png", "--plot is only valid with the benchmark 'tracking'; name "),
        ("missing recording", "accuracy --input missing.wav", "missing.wav: does not exist; check the path"),
    ),
    BadInput("command that there is not", "play song.wav", "argument COMMAND: invalid choice: 'play' (choose from "),
    BadInput("option of another command", "devices --input mic", "unrecognized arguments: --input mic; see rtgain "),
    BadInput(
        "output of a window", "run --json s.json", "--csv, --json, --plot, --record and --eq-out are only valid with "
    ),
]

BAD_INPUTS = [*OPTIONS, *SOUNDS, *TARGETS, *PRESETS, *AUTOMATIONS, *EQUALIZERS, *PLACES, *MANIFESTS, *COMMANDS]


def run_command(bad: BadInput) -> tuple[int, str]:
    """Run a bad input in the current folder. Returns the exit code and standard error."""
    errors = StringIO()
    with redirect_stderr(errors):
        code = main(bad.words)
    return code, errors.getvalue()


def print_table() -> None:
    """Print every bad input with its whole line as a Markdown table."""
    print("| error | message |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make_bad_files(Path(folder))
        with chdir(folder):
            for bad in BAD_INPUTS:
                line = run_command(bad)[1].removeprefix("rtgain: ").rstrip("\n")
                shown = line if len(line) < 240 else line[:120] + " … " + line[-100:]
                print(f"| {bad.name} | `{shown.replace('|', ' ')}` |")


if __name__ == "__main__":
    print_table()
