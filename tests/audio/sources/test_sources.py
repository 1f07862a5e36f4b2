"""Sources: exact samples for reads of any size, seeks, and one-line errors for invalid files."""

import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rtgain
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Source
from rtgain.audio.sources.synthetic import PinkSource, SineSource
from rtgain.errors import InputError
from tests.encoded_files import FORMATS, encode

SIZES = (1, 63, 64, 0, 480, 4096, 5000)


def noise(frames: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((frames, channels))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = 48_000, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def read_in_pieces(source: Source, frames: int) -> np.ndarray:
    pieces = []
    index = 0
    while frames > 0:
        piece = source.read(min(SIZES[index % len(SIZES)], frames))
        pieces.append(piece)
        frames -= piece.shape[1]
        if index % len(SIZES) != SIZES.index(0) and piece.shape[1] == 0:
            break
        index += 1
    return np.concatenate(pieces, axis=1)


def error_line(path: Path, channels: int = 1) -> str:
    with pytest.raises(InputError) as caught:
        FileSource(path, channels=channels)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


# --- valid files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_24"), ("a.wav", "FLOAT"), ("a.flac", "PCM_16")])
@pytest.mark.parametrize("rate", [4_000, 44_100, 192_000, 655_350])
def test_lossless_file_gives_its_own_samples(tmp_path: Path, name: str, subtype: str, rate: int) -> None:
    samples = np.round(noise(10_000) * 32767) / 32768
    source = FileSource(write(tmp_path / name, samples, rate, subtype=subtype))
    assert (source.sample_rate, source.channels, source.frames) == (rate, 1, 10_000)
    np.testing.assert_array_equal(source.read(20_000), samples.T)
    assert source.read(1).shape == (1, 0)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_file_has_no_time_offset(tmp_path: Path, name: str) -> None:
    time_s = np.arange(48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)
    source = FileSource(write(tmp_path / name, tone))
    assert source.frames == 48_000
    decoded = source.read(48_000)[0]
    assert np.sqrt(np.mean((decoded - tone)[2000:-2000] ** 2)) < 0.01


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_mono_is_the_mean_of_all_channels_and_stereo_the_first_two(tmp_path: Path, channels: int) -> None:
    samples = noise(5_000, channels)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    mean = samples.astype(np.float64).mean(axis=1).astype(np.float32)
    np.testing.assert_array_equal(FileSource(path).read(5_000)[0], mean)
    if channels > 1:
        np.testing.assert_array_equal(FileSource(path, channels=2).read(5_000), samples[:, :2].T)


@pytest.mark.parametrize(("channel_map", "rate"), [((3,), 48_000), ((4, 2), 48_000), ((2, 4), 44_100)])
def test_channel_map_selects_channels_in_order(tmp_path: Path, channel_map: tuple[int, ...], rate: int) -> None:
    samples = noise(20_000, 4)
    source = FileSource(
        write(tmp_path / "a.wav", samples, rate, subtype="FLOAT"), sample_rate=48_000, channel_map=channel_map
    )
    expected = samples[:, [channel - 1 for channel in channel_map]]
    expected = expected if rate == 48_000 else soxr.resample(expected, rate, 48_000, quality="VHQ")
    assert (source.channels, source.file_channels) == (len(channel_map), 4)
    np.testing.assert_allclose(source.read(30_000), expected.T, atol=1e-6)


def test_a_channel_beyond_the_last_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(10, 4))
    with pytest.raises(InputError, match=r"a\.wav: has 4 channels, not 5; choose others with --dry-channel and"):
        FileSource(path, channel_map=(1, 5))


def test_file_of_one_sample_is_valid(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "a.ogg"):
        assert FileSource(write(tmp_path / name, np.array([0.25]))).read(10).shape == (1, 1)
    looped = FileSource(tmp_path / "a.wav", loop=True)
    np.testing.assert_array_equal(looped.read(10_000), np.full((1, 10_000), 0.25))


@pytest.mark.parametrize(("file_rate", "rate"), [(44_100, 48_000), (192_000, 44_100), (8_000, 48_000)])
def test_streamed_resampling_equals_resampling_the_whole_file(tmp_path: Path, file_rate: int, rate: int) -> None:
    samples = noise(30_011, 2)
    source = FileSource(write(tmp_path / "a.wav", samples, file_rate, subtype="FLOAT"), sample_rate=rate, channels=2)
    expected = soxr.resample(samples, file_rate, rate, quality="VHQ")
    assert source.frames == len(expected)
    np.testing.assert_array_equal(source.read(200_000), expected.T)


@pytest.mark.parametrize("rate", [48_000, 44_100, 96_000])
@pytest.mark.parametrize("frames", [7, 3_000, 20_000])
def test_loop_is_the_file_without_end(tmp_path: Path, rate: int, frames: int) -> None:
    """The resampler gets one continuous signal without the ends of the file."""
    samples = noise(frames)
    source = FileSource(write(tmp_path / "a.wav", samples, subtype="FLOAT"), sample_rate=rate, loop=True)
    assert source.frames is None
    passes = np.tile(samples, (150_000 // frames + 2, 1))
    expected = passes if rate == 48_000 else soxr.resample(passes, 48_000, rate, quality="VHQ")
    np.testing.assert_array_equal(source.read(100_000), expected[:100_000].T)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_every_pass_of_a_loop_equals_the_first(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, noise(20_000))
    once = FileSource(path).read(20_000)
    passes = FileSource(path, loop=True).read(60_000)
    np.testing.assert_array_equal(passes, np.tile(once, 3))


@pytest.mark.parametrize("rate", [None, 44_100])
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_read_sizes_do_not_change_a_bit_of_a_file(tmp_path: Path, name: str, loop: bool, rate: int | None) -> None:
    path = write(tmp_path / name, noise(20_000, 2))
    sources = [FileSource(path, sample_rate=rate, channels=2, loop=loop) for _ in range(2)]
    np.testing.assert_array_equal(read_in_pieces(sources[0], 50_000), sources[1].read(50_000))


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("frame", [0, 1, 4_096, 11_111, 79_999])
@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_seek_equals_a_sequential_read(tmp_path: Path, name: str, frame: int, loop: bool) -> None:
    tone = np.sin(2 * np.pi * np.arange(80_000) / 48)
    source = FileSource(write(tmp_path / name, 0.5 * tone), loop=loop)
    sequential = source.read(80_000)
    source.seek(frame)
    continued = source.read(80_000)[:, : 80_000 - frame]
    np.testing.assert_array_equal(continued, sequential[:, frame:])


@pytest.mark.parametrize("rate", [48_000, 96_000, 8_000, 44_101])
def test_seek_in_a_resampled_file_continues_in_phase(tmp_path: Path, rate: int) -> None:
    source = FileSource(write(tmp_path / "a.wav", noise(200_000), 44_100), sample_rate=rate)
    sequential = source.read(10**6)
    source.seek(0)
    np.testing.assert_array_equal(source.read(1000), sequential[:, :1000])
    frame = sequential.shape[1] * 3 // 4
    source.seek(frame)
    # The phase of soxr is exact only for ratios of small integers.
    tolerance = 1e-5 if rate == 44_101 else 1e-6
    np.testing.assert_allclose(source.read(1000), sequential[:, frame : frame + 1000], rtol=0, atol=tolerance)


def test_seek_beyond_the_end_reads_nothing_and_before_the_start_is_rejected(tmp_path: Path) -> None:
    for rate in (None, 44_100):
        source = FileSource(write(tmp_path / "a.wav", noise(1000)), sample_rate=rate)
        source.seek(2000)
        assert source.read(10).shape == (1, 0)
        source.seek(0)
        assert source.read(10).shape == (1, 10)
        with pytest.raises(ValueError, match="before the start"):
            source.seek(-1)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ten_hours.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:  # FLAC of silence is tiny: ten hours in 2 MB
        for _ in range(600):
            file.write(np.zeros(480_000, np.int16))
    source = FileSource(path, sample_rate=44_100)
    assert source.frames == 10 * 3600 * 44_100
    source.seek(9 * 3600 * 44_100)
    tracemalloc.start()
    for _ in range(1000):
        assert source.read(4096).shape[1] == 4096
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2_000_000


@pytest.mark.parametrize("declared", [0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_streamed_wav_of_unknown_length_plays(tmp_path: Path, declared: int) -> None:
    path = write(tmp_path / "a.wav", noise(1000))
    content = path.read_bytes()
    path.write_bytes(content[:40] + struct.pack("<I", declared) + content[44:])
    assert FileSource(path).read(2000).shape == (1, 1000)


def write_mp3_without_length(path: Path, samples: np.ndarray, bitrate_mode: str) -> int:
    """Write an MP3 from its second frame on, like a recorded stream. Returns the length that libsndfile estimates."""
    soundfile.write(path, samples, 48_000, bitrate_mode=bitrate_mode, compression_level=0.5)
    content = path.read_bytes()
    assert content[36:40] in (b"Xing", b"Info") or content[21:25] in (b"Xing", b"Info")
    path.write_bytes(content[content.index(content[:2], 40) :])
    return int(soundfile.info(path).frames)


def test_mp3_of_constant_bit_rate_needs_no_length_header(tmp_path: Path) -> None:
    estimate = write_mp3_without_length(tmp_path / "a.mp3", noise(480_000), "CONSTANT")
    source = FileSource(tmp_path / "a.mp3")
    assert source.frames == estimate == source.read(10**6).shape[1]
    assert 0 <= estimate - 480_000 <= 2 * 1152


def test_frames_of_a_variable_bit_rate_mp3_are_counted(tmp_path: Path) -> None:
    """The estimate is based on the bit rate of the first frame, which differs from that of the others."""
    quiet = 1e-4 * noise(48_000, 2)
    estimate = write_mp3_without_length(tmp_path / "a.mp3", np.concatenate([quiet, noise(480_000, 2)]), "VARIABLE")
    assert estimate > 1_000_000
    source = FileSource(tmp_path / "a.mp3")
    assert source.frames == source.read(10**6).shape[1]
    assert 0 <= source.frames - 528_000 <= 2 * 1152


def test_mp3_of_variable_bit_rate_is_played_whole_without_a_length_header(tmp_path: Path) -> None:
    """libsndfile stops at the length that it estimates."""
    estimate = write_mp3_without_length(tmp_path / "a.mp3", noise(480_000, 2), "VARIABLE")
    assert estimate < 400_000
    source = FileSource(tmp_path / "a.mp3")
    assert source.frames == source.read(10**6).shape[1]
    assert 0 <= source.frames - 480_000 <= 2 * 1152


@pytest.mark.parametrize(("name", "tag_bytes"), [("a.wav", 4096), ("a.flac", 4096), ("a.aiff", 100), ("a.mp3", 4096)])
def test_tag_before_the_header_is_skipped(tmp_path: Path, name: str, tag_bytes: int) -> None:
    path = write(tmp_path / name, noise(20_000))
    expected = FileSource(path).read(30_000)
    size = bytes((tag_bytes >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\x00\x00" + size + bytes(tag_bytes) + path.read_bytes())
    np.testing.assert_array_equal(FileSource(path).read(30_000), expected)
    assert error_line(truncate(path, 0.6)).startswith("truncated: ")


def test_bw64_plays(tmp_path: Path) -> None:
    """BW64 (ITU-R BS.2088) has the chunks of RF64 under another name."""
    samples = noise(10_000, 2)
    path = write(tmp_path / "a.wav", samples, format="RF64", subtype="FLOAT")
    content = path.read_bytes()
    assert content[:4] == b"RF64"
    path.write_bytes(b"BW64" + content[4:])
    np.testing.assert_array_equal(FileSource(path, channels=2).read(20_000), samples.T)
    assert error_line(truncate(path, 0.6)).startswith("truncated: ")


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_plays_resampled_and_looped(tmp_path: Path, extension: str) -> None:
    path = encode(tmp_path / f"a.{extension}", noise(50_000, 2).T, 48_000)
    source = FileSource(path, sample_rate=44_100, channels=2, loop=True)
    first = source.read(source.loop_frames)
    source.read(2 * source.loop_frames)
    source.seek(1000)
    np.testing.assert_allclose(source.read(10_000), first[:, 1000:11_000], rtol=0, atol=1e-5)


def test_first_of_several_audio_streams_is_played_with_a_notice(tmp_path: Path) -> None:
    several = encode(tmp_path / "a.mkv", noise(48_000, 2).T, 48_000, "flac", tracks=2)
    source = FileSource(several)
    assert source.frames == 48_000
    assert source.notice == f"{several}: plays the first of 2 audio streams (48 kHz 24 bit stereo FLAC)"
    assert FileSource(write(tmp_path / "a.wav", noise(10))).notice is None


# --- invalid files --------------------------------------------------------------------------------


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert error_line(tmp_path / "none.wav").startswith("does not exist")
    assert "cannot be opened" in error_line(write(tmp_path / "a.wav", noise(10)) / "b.wav")
    assert "cannot be opened" in error_line(tmp_path / ("x" * 300))


def test_directory_and_pipe_are_rejected(tmp_path: Path) -> None:
    assert error_line(tmp_path).startswith("is a directory")
    os.mkfifo(tmp_path / "pipe.wav")
    assert error_line(tmp_path / "pipe.wav").startswith("is not a regular file")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(10))
    path.chmod(0)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    program = (
        "import os, sys; from rtgain.audio.sources.file_source import FileSource\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"  # root can read every file
        "try: FileSource(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"InputError {path}: no permission to read it")


def test_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert error_line(tmp_path / "a.wav").startswith("is empty (0 bytes)")


@pytest.mark.parametrize("name", ["notes.txt", "a.wav", "a.mp3", "a.raw"])
@pytest.mark.parametrize("offset", range(4))
def test_text_file_is_rejected(tmp_path: Path, name: str, offset: int) -> None:
    (tmp_path / name).write_text(" " * offset + "Größe, 音, this is not audio.\n" * 400, encoding="utf-8")
    assert error_line(tmp_path / name).startswith("is a text file, not a sound file")


@pytest.mark.parametrize("name", ["a.bin", "a.wav", "a.flac", "a.raw"])
def test_random_bytes_are_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(50_000))
    assert error_line(tmp_path / name).startswith("is not a readable sound file")


@pytest.mark.parametrize("name", ["a.wav", "a.ogg"])
def test_file_without_frames_is_rejected(tmp_path: Path, name: str) -> None:
    assert "zero frames" in error_line(write(tmp_path / name, noise(0)))


def test_mono_file_is_rejected_for_two_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(10))
    assert error_line(path, channels=2).startswith("has one channel, but two are needed")


@pytest.mark.parametrize("rate", [3_999, 768_001])
def test_rate_out_of_range_is_named(tmp_path: Path, rate: int) -> None:
    assert f"sample rate of {rate} Hz" in error_line(write(tmp_path / "a.wav", noise(10), rate))


def truncate(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"format": "WAVEX"}),
        ("a.wav", {"format": "RF64"}),
        ("a.flac", {}),
        ("a.ogg", {}),
        ("a.ogg", {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", {}),
    ],
)
def test_truncated_file_is_rejected(tmp_path: Path, name: str, options: dict[str, str], share: float) -> None:
    path = write(tmp_path / name, noise(192_000, 2), **options)
    FileSource(path).close()
    assert error_line(truncate(path, share)).startswith("truncated: ")


def ogg_checksum(page: bytes) -> int:
    """RFC 3533, appendix A: CRC-32 with the polynomial 0x04c11db7, no reflection, starting from 0."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        value &= 0xFFFFFFFF
    return value


def test_ogg_that_declares_one_block_too_many_ends_at_its_last_frame(tmp_path: Path) -> None:
    """As in a song of Debian's lincity-ng-data: complete, but cut from a longer one."""
    path = write(tmp_path / "a.ogg", noise(48_000))
    content = bytearray(path.read_bytes())
    last = content.rfind(b"OggS")
    granule = int.from_bytes(content[last + 6 : last + 14], "little")
    content[last + 6 : last + 14] = (granule + 1024).to_bytes(8, "little")
    content[last + 22 : last + 26] = bytes(4)
    content[last + 22 : last + 26] = ogg_checksum(bytes(content[last:])).to_bytes(4, "little")
    path.write_bytes(content)
    source = FileSource(path)
    assert 48_000 <= source.frames < 48_000 + 1024
    assert source.read(100_000).shape[1] == source.frames
    assert source.read(1).shape[1] == 0


def test_truncated_mp3_prints_nothing_to_standard_error(tmp_path: Path) -> None:
    path = truncate(write(tmp_path / "a.mp3", noise(192_000, 2)), 0.5)
    program = (
        "import sys; from rtgain.audio.sources.file_source import FileSource; from rtgain.errors import InputError\n"
        "try: FileSource(sys.argv[1])\n"
        "except InputError: print('InputError')"
    )
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("InputError\n", "")


def test_error_for_damage_contains_its_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", noise(480_000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    source = FileSource(path)
    with pytest.raises(InputError, match=r"a\.flac: cannot be read after 0:0[45]\.\d\d\d \(.*damaged"):
        source.read(480_000)


def test_file_truncated_during_playback_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(480_000))
    source = FileSource(path)
    source.read(1000)
    os.truncate(path, 100_000)
    with pytest.raises(InputError, match=r"truncated: it ends at 0:01\.\d\d\d instead of 0:10\.000"):
        source.read(480_000)


def test_deleted_file_continues_to_play(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(100_000))
    source = FileSource(path)
    path.unlink()
    assert source.read(200_000).shape == (1, 100_000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 3])
def test_first_non_finite_sample_is_named(tmp_path: Path, value: float, channels: int) -> None:
    samples = noise(200_000, channels)
    samples[123_456, -1] = value
    samples[150_000] = np.nan
    source = FileSource(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    before = source.read(5_000)
    with pytest.raises(InputError, match=r"a\.wav: contains NaN or infinite .* 0:02\.572 \(frame 123456\)"):
        source.check_finite()
    assert np.isfinite(before).all()


def test_finite_check_does_not_change_the_position(tmp_path: Path) -> None:
    samples = noise(50_000)
    source = FileSource(write(tmp_path / "a.wav", samples, subtype="DOUBLE"))
    first = source.read(10_000)
    source.check_finite()
    np.testing.assert_array_equal(np.concatenate([first, source.read(50_000)], axis=1), samples.T)


# --- synthetic sources ----------------------------------------------------------------------------


def test_sine_is_exact_after_ten_hours() -> None:
    source = SineSource(44_100)
    frame = 10 * 3600 * 44_100 + 12_345
    source.seek(frame)
    # 600 Hz at 44.1 kHz repeats every 147 frames.
    cycles = [float(Fraction((frame + index) * 600, 44_100) % 1) for index in range(147)]
    np.testing.assert_allclose(source.read(147)[0], 0.5 * np.sin(2 * np.pi * np.array(cycles)), atol=1e-7)


def test_sine_starts_at_zero_with_its_peak_and_frequency() -> None:
    samples = SineSource(48_000, hz=1000.25, amplitude=0.8).read(192_000)[0]
    spectrum = np.abs(np.fft.rfft(samples)) / 96_000
    assert samples[0] == 0
    assert spectrum.argmax() == 4001
    assert spectrum[4001] == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000, 192_000])
def test_pink_noise_falls_by_three_decibels_per_octave(sample_rate: int) -> None:
    """Third-octave powers of two minutes against the integral of 1/f, 20 Hz to 20 kHz.

    A third octave at f has a bandwidth of about 0.23 f, so its estimate has a standard deviation of
    4.34 / sqrt(0.23 f t) dB. The tolerance is 0.25 dB plus three standard deviations.
    """
    seconds = 120
    samples = PinkSource(sample_rate, seed=3).read(seconds * sample_rate)[0].astype(np.float64)
    power = np.abs(np.fft.rfft(samples)) ** 2
    cumulated = np.concatenate([[0], np.cumsum(power)])
    centers = 20 * 2 ** (np.arange(1, 30) / 3)
    centers = centers[centers * 2 ** (1 / 6) < min(20_000, sample_rate / 2)]
    edges = [np.rint(centers * 2 ** (side / 6) * seconds).astype(int) for side in (-1, 1)]
    bands_db = 10 * np.log10(cumulated[edges[1]] - cumulated[edges[0]])
    excess = np.abs(bands_db - np.average(bands_db, weights=centers))
    assert (excess < 0.25 + 3 * 4.34 / np.sqrt(0.23 * centers * seconds)).all(), excess


@pytest.mark.parametrize("sample_rate", [4_000, 48_000, 768_000])
def test_pink_filter_has_the_slope_within_a_tenth_of_a_decibel(sample_rate: int) -> None:
    source = PinkSource(sample_rate)
    response = np.abs(source._response)
    hz = np.fft.rfftfreq(2 * (len(response) - 1), 1 / sample_rate)
    band = (hz >= 20) & (hz <= 20_000)
    deviation_db = 20 * np.log10(response[band] * np.sqrt(hz[band]))
    assert np.ptp(deviation_db) < 0.1


def test_pink_noise_has_its_level_and_never_repeats_a_block() -> None:
    samples = PinkSource(48_000, rms=0.05).read(48_000 * 60)[0].astype(np.float64)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.05, rel=0.02)
    blocks = samples[: 65_536 * 40].reshape(40, 65_536)
    correlation = np.corrcoef(blocks) - np.eye(40)
    assert np.abs(correlation).max() < 0.3
    assert not np.array_equal(PinkSource(48_000, seed=1).read(100), PinkSource(48_000, seed=2).read(100))


def test_sine_is_the_same_on_all_channels() -> None:
    np.testing.assert_array_equal(SineSource(48_000, 3).read(5000), np.repeat(SineSource(48_000).read(5000), 3, axis=0))


def test_pink_noise_is_independent_on_each_channel_and_the_first_is_the_mono_noise() -> None:
    stereo = PinkSource(48_000, 2, seed=4, rms=0.05).read(48_000 * 60)
    np.testing.assert_array_equal(stereo[0], PinkSource(48_000, seed=4, rms=0.05).read(48_000 * 60)[0])
    assert np.sqrt(np.mean(stereo[1].astype(np.float64) ** 2)) == pytest.approx(0.05, rel=0.02)
    assert abs(np.corrcoef(stereo)[0, 1]) < 0.05


synthetic_sources: list[Callable[[], Source]] = [
    lambda: SineSource(48_000, 2),
    lambda: PinkSource(8_000, seed=5),
    lambda: PinkSource(8_000, 2, seed=5),
]


@pytest.mark.parametrize("make", synthetic_sources, ids=["sine", "pink", "pink stereo"])
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 20_000), max_size=6), start=st.integers(0, 50_000))
def test_read_sizes_and_seeks_do_not_change_a_synthetic_source(
    make: Callable[[], Source], sizes: list[int], start: int
) -> None:
    sequential = make().read(start + sum(sizes))[:, start:]
    source = make()
    source.seek(start)
    pieces = [np.empty((source.channels, 0), np.float32), *(source.read(size) for size in sizes)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), sequential)


@pytest.mark.parametrize("name", ["demo_music", "pink_noise", "synthetic_speech"])
def test_functions_of_signals_reject_wrong_numbers_in_one_line_and_accept_every_length(name: str) -> None:
    make = getattr(rtgain, name)
    for rate in (0, 8000.5, "8000"):
        with pytest.raises(InputError, match=f"{name}: sample_rate must be a whole number of 4000 to 768000 Hz, not"):
            make(rate, 100)
    for frames in (-1, 1.5, None):
        with pytest.raises(InputError, match=f"{name}: frames must be a whole number, 0 or more, not {frames}"):
            make(8000, frames)
    for frames in (0, 1, 2):
        assert np.isfinite(make(8000, frames)).all()
        assert make(8000, frames).shape == (frames,)
