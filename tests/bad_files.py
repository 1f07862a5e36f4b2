"""Invalid files with one defect each, by name; `make_bad_files` writes them into one folder."""

import gzip
import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import soundfile

from rtgain.output.mp4_writer import mp4
from tests.encoded_files import encode

RATE = 48_000


def make_bad_files(folder: Path) -> None:
    """Write them, and the valid files ok.wav (half a second) and stereo.wav."""
    _make_sounds(folder)
    _make_presets(folder)
    _make_tables(folder)


def noise(frames: int, channels: int = 1) -> np.ndarray:
    """White noise, (frames, channels) float32, the same in every run."""
    return (0.1 * np.random.default_rng(0).standard_normal((frames, channels))).astype(np.float32)


def _make_sounds(folder: Path) -> None:
    def sound(name: str, frames: int = RATE // 2, *, rate: int = RATE, channels: int = 1, **settings: str) -> bytes:
        soundfile.write(folder / name, noise(frames, channels), rate, **settings)
        return (folder / name).read_bytes()

    def cut(name: str, bytes_left: int) -> None:
        content = (folder / name).read_bytes()
        assert bytes_left < len(content)
        (folder / name).write_bytes(content[:bytes_left])

    ok = sound("ok.wav")
    sound("stereo.wav", channels=2)
    sound("one.wav", 1)
    sound("hundred.wav", 100)
    sound("slow.wav", rate=1_000)
    sound("fast.wav", rate=800_000)
    for name in ("cut.wav", "cut.flac", "cut.ogg", "cut.mp3", "cut.aiff"):
        sound(name, 10 * RATE)
        cut(name, 30_000)
    encode(folder / "cut.m4a", noise(10 * RATE).T, RATE)
    cut("cut.m4a", 30_000)
    pictures = np.zeros((3, 64, 64, 3), np.uint8)
    (folder / "pictures.mp4").write_bytes(mp4(pictures, 20))
    damaged = bytearray(sound("damaged.flac", 10 * RATE))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 3000] = bytes(3000)
    (folder / "damaged.flac").write_bytes(damaged)
    for name, value in (("nan.wav", np.nan), ("infinite.wav", -np.inf)):
        samples = noise(RATE)
        samples[36_000] = value
        soundfile.write(folder / name, samples, RATE, subtype="FLOAT")
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("a shopping list\n")
    (folder / "page.mp3").write_text("<!DOCTYPE html><title>404 Not Found</title>\n")
    (folder / "letters.raw").write_text("a shopping list\n")
    (folder / "riff.wav").write_bytes(b"RIFF")
    (folder / "tag.mp3").write_bytes(b"ID3")
    (folder / "header.wav").write_bytes(ok[:44])
    (folder / "no-sound.wav").write_bytes(ok[:40] + struct.pack("<I", 0))
    (folder / "no-format.wav").write_bytes(ok[:12] + ok[36:])
    (folder / "codec.wav").write_bytes(ok[:20] + struct.pack("<H", 0x4242) + ok[22:])
    (folder / "no-channels.wav").write_bytes(ok[:22] + struct.pack("<H", 0) + ok[24:])
    (folder / "no-rate.wav").write_bytes(ok[:24] + struct.pack("<I", 0) + ok[28:])
    (folder / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    (folder / "random.wav").write_bytes(np.random.default_rng(1).bytes(50_000))
    (folder / "zeros.flac").write_bytes(bytes(50_000))
    (folder / "packed.wav").write_bytes(gzip.compress(ok, mtime=0))
    (folder / "folder").mkdir()
    (folder / "nowhere.wav").symlink_to("gone.wav")
    (folder / "circle.wav").symlink_to("circle.wav")
    (folder / "link.wav").symlink_to("ok.wav")
    os.mkfifo(folder / "pipe.wav")


def _make_presets(folder: Path) -> None:
    def preset(name: str, session: object, version: object = 1) -> None:
        (folder / name).write_text(json.dumps({"version": version, "session": session}))

    preset("newer.json", {}, version=2)
    preset("spelled.json", {}, version="1")
    preset("unknown.json", {"volume": 3})
    preset("loud.json", {"gain_db": 61})
    preset("word.json", {"gain_db": "loud"})
    preset("nan.json", {"gain_db": float("nan")})
    preset("list.json", [])
    preset("null.json", {"input": None})
    preset("unnamed.json", {"input": ""})
    preset("nul.json", {"input": "a\0b.wav"})
    preset("surrogate.json", {"input": "\udc80.wav"})
    preset("code.json", {"loss": "__import__('os').system('true')"})
    (folder / "unversioned.json").write_text('{"session": {}}')
    (folder / "bare.json").write_text("[1, 2]")
    (folder / "yaml.json").write_text("gain_db: -3\n")
    (folder / "empty.json").touch()
    (folder / "half.json").write_text('{"version": 1, "session": {"gain')
    (folder / "nested.json").write_text("[" * 100_000)
    (folder / "digits.json").write_text('{"version": 1, "session": {"seed": ' + "9" * 5_000 + "}}")
    (folder / "latin.json").write_bytes('{"version": 1, "session": {"input": "Händel.wav"}}'.encode("latin-1"))
    (folder / "pickle.json").write_bytes(pickle.dumps({"version": 1, "session": {}}))


def _make_tables(folder: Path) -> None:
    automations = {
        "header.csv": "seconds,level\n0,0\n",
        "headless.csv": "0,-3\n1,-6\n",
        "rowless.csv": "time_s,gain_db\n",
        "back.csv": "time_s,gain_db\n1,-3\n0,-6\n",
        "nan.csv": "time_s,gain_db\n0,nan\n",
        "loud.csv": "time_s,gain_db\n0,61\n",
        "before.csv": "time_s,gain_db\n-1,0\n",
        "never.csv": "time_s,gain_db\ninf,0\n",
        "word.csv": "time_s,gain_db\n0,loud\n",
        "three.csv": "time_s,gain_db\n0,-3,1\n",
        "comma.csv": "time_s;gain_db\n0;-3\n",
    }
    manifests = {
        "no-target.csv": "dry,wet\na.wav,b.wav\n",
        "twice.csv": "dry,target,dry\na.wav,b.wav,c.wav\n",
        "ours.csv": "dry,target,gain_db\na.wav,b.wav,0\n",
        "short.csv": "note,dry,target\na,a.wav\n",
        "long.csv": "dry,target\na.wav,b.wav,c.wav\n",
        "quoted.csv": 'dry,target\n"a.wav,b.wav\n',
        "pairs.csv": "dry,target\nok.wav,ok.wav\n",
        "other.csv": "name,price\nbread,2\n",
    }
    for name, content in (automations | manifests).items():
        (folder / name).write_text(content)
    (folder / "empty.csv").touch()
    (folder / "latin.csv").write_bytes("time_s,gain_db\n0,-3 für\n".encode("latin-1"))
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "nul.csv").write_bytes(b"time_s,gain_db\n0,-3\0\n")
    (folder / "wide.csv").write_text("time_s,gain_db\n0," + "3" * 200_000 + "\n")
