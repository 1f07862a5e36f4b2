"""Decoder: samples of every format at their times, from any position, and one-line errors for invalid files."""

import math
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.io.decoder import Decoder
from rtgain.errors import InputError
from tests.encoded_files import FORMATS, encode

RATE = 48_000
UNSTATED_PADDING = {"wma": 2 * 2048, "mkv": 1024}
"""Frames by which a file may be longer, by extension: neither WMA nor FFmpeg's AAC in Matroska states its padding."""


def music(frames: int, channels: int = 2) -> np.ndarray:
    """Band-limited noise with slow beats, (channels, frames): no part equals another."""
    noise = np.random.default_rng(0).standard_normal((channels, frames + 31))
    smooth = np.stack([np.convolve(channel, np.hanning(32) / 16, "valid") for channel in noise])
    return (0.2 * smooth * (1.2 + np.sin(np.arange(frames) / 9_000))).astype(np.float32)


MUSIC = music(14 * RATE + 1234)
"""Its length is not a whole number of packets of any codec. FFmpeg's MP3 states at most one packet of padding, and its
MP4 cuts the last packet at a millisecond."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each format, and of others that people have."""
    path = tmp_path_factory.mktemp("formats")
    for extension in FORMATS:
        encode(path / f"a.{extension}", MUSIC, RATE)
    soundfile.write(path / "vorbis.ogg", MUSIC.T, RATE)
    encode(path / "vorbis.webm", MUSIC, RATE, "vorbis", options={"strict": "experimental"})
    encode(path / "alac.m4a", MUSIC, RATE, "alac")
    encode(path / "flac.mkv", MUSIC, RATE, "flac")
    encode(path / "flac.ogg", MUSIC, RATE, "flac")
    encode(path / "mp3.mkv", MUSIC, RATE, "libmp3lame")
    encode(path / "opus.mp4", MUSIC, RATE, "libopus")
    encode(path / "pcm.mkv", MUSIC, RATE, "pcm_s16le")
    encode(path / "low.mp3", MUSIC, RATE, "libmp3lame", bit_rate=32_000)
    encode(path / "low.m4a", MUSIC, RATE, "aac", bit_rate=32_000)
    encode(path / "front.m4a", MUSIC, RATE, "aac", container_options={"movflags": "+faststart"})
    return path


NAMES = [f"a.{extension}" for extension in FORMATS] + [
    "vorbis.ogg",
    "vorbis.webm",
    "alac.m4a",
    "flac.mkv",
    "flac.ogg",
    "mp3.mkv",
    "opus.mp4",
    "pcm.mkv",
    "low.mp3",
    "low.m4a",
    "front.m4a",
]


def lag_frames(decoded: np.ndarray, samples: np.ndarray) -> int:
    """Frames by which `decoded` is late, out of the peak of the correlation."""
    part, search = samples[0, 3 * RATE : 5 * RATE], decoded[0, 3 * RATE - 4096 : 5 * RATE + 4096]
    size = 2**18
    correlation = np.fft.irfft(np.fft.rfft(search, size) * np.conj(np.fft.rfft(part, size)))
    return int(np.argmax(correlation[:8193])) - 4096


@pytest.mark.parametrize("name", NAMES)
def test_length_and_time_equal_those_of_the_encoded_signal(folder: Path, name: str) -> None:
    with Decoder(folder / name) as decoder:
        decoded = decoder.read(10**9)
        assert (decoder.sample_rate, decoder.channels, decoder.layout) == (RATE, 2, "stereo")
        assert decoded.shape == (2, decoder.frames)
    surplus = decoded.shape[1] - MUSIC.shape[1]
    webm_padding = 1024 if name == "vorbis.webm" else 0
    assert 0 <= surplus <= UNSTATED_PADDING.get(name.removeprefix("a."), webm_padding)
    assert lag_frames(decoded, MUSIC) == 0


@pytest.mark.parametrize("name", NAMES)
def test_reads_from_random_positions_equal_a_sequential_read(folder: Path, name: str, thorough: bool) -> None:
    draw = np.random.default_rng(1)
    with Decoder(folder / name) as decoder:
        straight = decoder.read(10**9)
        for position in draw.integers(0, decoder.frames, 200 if thorough else 40):
            frames = int(draw.choice([1, 64, 480, 5_000]))
            decoder.seek(int(position))
            np.testing.assert_array_equal(decoder.read(frames), straight[:, position : position + frames])


@pytest.mark.parametrize("name", ["a.flac", "a.m4a", "vorbis.ogg"])
def test_read_sizes_do_not_change_a_bit(folder: Path, name: str) -> None:
    with Decoder(folder / name) as one, Decoder(folder / name) as other:
        pieces = [one.read(size) for size in (1, 63, 0, 4096, 5000) * 80]
        whole = other.read(10**9)
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole[:, : sum(p.shape[1] for p in pieces)])


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        *[("WAV", kind) for kind in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")],
        *[("WAVEX", "PCM_24"), ("RF64", "PCM_24"), ("RF64", "DOUBLE"), ("W64", "FLOAT")],
        *[("FLAC", kind) for kind in ("PCM_S8", "PCM_16", "PCM_24")],
        *[("AIFF", kind) for kind in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
        *[("CAF", kind) for kind in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
    ],
)
@pytest.mark.parametrize(("channels", "rate"), [(1, RATE), (2, 44_100), (6, RATE), (8, 192_000), (3, 655_350)])
def test_lossless_samples_equal_those_of_libsndfile(
    tmp_path: Path, container: str, subtype: str, channels: int, rate: int
):
    samples = np.random.default_rng(2).standard_normal((12_346, channels))
    is_float = subtype in ("FLOAT", "DOUBLE")
    path = tmp_path / "a.bin"  # without a known extension
    samples = samples if is_float else np.clip(0.4 * samples, -1, 1)
    soundfile.write(path, samples, rate, format=container, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    with Decoder(path) as decoder:
        assert (decoder.sample_rate, decoder.is_float) == (rate, is_float)
        np.testing.assert_array_equal(decoder.read(10**6), expected.T)


def test_64_bit_integers_are_read(tmp_path: Path) -> None:
    wave = tmp_path / "a.wav"
    soundfile.write(wave, MUSIC[:, :1000].T, RATE, subtype="DOUBLE")
    content = bytearray(wave.read_bytes())
    kind, data = content.index(b"fmt ") + 8, content.index(b"data") + 8
    content[kind : kind + 2] = b"\x01\x00"
    integers = np.round(MUSIC[:, :1000].T.astype(np.float64) * 2.0**62).astype("<i8")
    content[data : data + integers.nbytes] = integers.tobytes()
    wave.write_bytes(content)
    with Decoder(wave) as decoder:
        np.testing.assert_allclose(decoder.read(1000), MUSIC[:, :1000] / 2, atol=1e-8)


def test_channels_have_names_and_a_file_a_description(tmp_path: Path) -> None:
    six = encode(tmp_path / "six.wav", music(5_000, 6), RATE, "pcm_s24le")
    with Decoder(six) as decoder:
        assert (decoder.layout, decoder.channel_names) == ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR"))
    soundfile.write(tmp_path / "a.flac", MUSIC[:, :5000].T, 44_100, subtype="PCM_24")
    descriptions = {}
    for path in (tmp_path / "a.flac", encode(tmp_path / "a.m4a", MUSIC[:, :5000], RATE), six):
        with Decoder(path) as decoder:
            descriptions[path.name] = decoder.description
    assert descriptions == {
        "a.flac": "44.1 kHz 24 bit stereo FLAC",
        "a.m4a": "48 kHz stereo AAC",
        "six.wav": "48 kHz 24 bit 5.1 WAV",
    }


def test_first_of_several_audio_streams_is_read(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", MUSIC[:, :RATE], RATE, "flac", tracks=2)
    with Decoder(path) as decoder:
        assert decoder.audio_streams == 2
        assert decoder.read(10**6).shape == (2, RATE)


@pytest.mark.parametrize("tag_bytes", [0, 100, 4096])
@pytest.mark.parametrize("extension", ["wav", "flac", "mp3"])
def test_tag_before_the_header_changes_no_sample(folder: Path, tmp_path: Path, extension: str, tag_bytes: int) -> None:
    size = bytes((tag_bytes >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / f"a.{extension}"
    path.write_bytes(b"ID3\x04\x00\x00" + size + bytes(tag_bytes) + (folder / path.name).read_bytes())
    with Decoder(path) as decoder, Decoder(folder / path.name) as plain:
        np.testing.assert_array_equal(decoder.read(RATE), plain.read(RATE))
        assert decoder.frames == plain.frames


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.995])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("a.wma",)])
def test_truncated_file_is_rejected_when_it_is_opened(folder: Path, tmp_path: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError) as caught:
        Decoder(path)
    assert str(caught.value).startswith(f"{path}: truncated: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.flac", "vorbis.ogg", "a.opus", "flac.mkv"])
def test_damage_in_the_middle_is_an_error_when_it_is_opened_or_read(folder: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 10_000] = bytes(10_000)
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match="because the file is damaged"), Decoder(path) as decoder:
        decoder.read(10**9)


def test_flipped_bit_of_a_flac_is_an_error(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "a.flac").read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read after 0:0[67]\.\d\d\d"), Decoder(path) as decoder:
        decoder.read(10**9)


def test_ffmpeg_writes_nothing_to_standard_error(folder: Path, tmp_path: Path) -> None:
    for name in NAMES:
        content = bytearray((folder / name).read_bytes())
        middle = len(content) // 2
        content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
        (tmp_path / name).write_bytes(content)
    program = (
        "import sys; from rtgain.audio.io.decoder import Decoder; from rtgain.errors import InputError\n"
        "for path in sys.argv[1:]:\n"
        "    try: Decoder(path).read(10**9)\n"
        "    except InputError: pass"
    )
    paths = [str(tmp_path / name) for name in NAMES]
    result = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


def test_playlist_opens_no_other_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text(f"#EXTM3U\n#EXTINF:10,\n{folder / 'a.mp3'}\n")
    (tmp_path / "b.txt").write_text(f"ffconcat version 1.0\nfile {folder / 'a.mp3'}\n")
    for path in tmp_path.iterdir():
        with pytest.raises(InputError, match="is a text file, not a sound file"):
            Decoder(path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        for _ in range(60):
            file.write(np.zeros(480_000, np.int16))
    with Decoder(path) as decoder:
        assert decoder.frames == 3600 * 8_000
        decoder.seek(3000 * 8_000)
        tracemalloc.start()
        for _ in range(500):
            decoder.read(4096)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < 2_000_000


def test_several_threads_read_a_file_each(folder: Path) -> None:
    sums: dict[int, float] = {}

    def read(number: int) -> None:
        with Decoder(folder / "a.m4a") as decoder:
            sums[number] = float(np.square(decoder.read(10**9)).sum())

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(sums.values())) == 1
    assert math.isfinite(sums[0])
    assert len(sums) == 4


@pytest.mark.parametrize("name", NAMES)
def test_file_that_was_counted_before_is_decoded_alike(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its packets are counted once, and again after it has been written."""
    counted: list[Path] = []
    count = Decoder._count
    monkeypatch.setattr(Decoder, "_count", lambda decoder: counted.append(decoder.path) or count(decoder))
    path = tmp_path / name
    path.write_bytes((folder / name).read_bytes())
    with Decoder(path) as decoder:
        first = decoder.read(10**9)
    for position in (0, first.shape[1] // 2):
        with Decoder(path) as decoder:
            decoder.seek(position)
            np.testing.assert_array_equal(decoder.read(10**9), first[:, position:])
    before = len(counted)  # 0 of a file whose header states its length
    assert before == 1 if name in ("a.m4a", "a.mp3", "a.opus", "vorbis.ogg") else before <= 1
    path.write_bytes((folder / name).read_bytes())
    with Decoder(path) as decoder:
        np.testing.assert_array_equal(decoder.read(10**9), first)
    assert len(counted) == 2 * before


def test_file_that_is_removed_while_it_is_opened_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes((folder / "a.m4a").read_bytes())
    measure = Decoder._measure

    def remove_and_measure(decoder: Decoder) -> None:
        decoder.path.unlink()
        measure(decoder)

    monkeypatch.setattr(Decoder, "_measure", remove_and_measure)
    with pytest.raises(InputError, match=r"a\.m4a: cannot be opened \(No such file or directory\); check the path"):
        Decoder(path)
