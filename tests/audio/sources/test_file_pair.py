"""Two recordings side by side: exact samples at any position, whichever begins earlier, in any format and channels."""

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.file_pair import FilePairSource
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.section import SectionSource
from rtgain.errors import InputError
from rtgain.records.delay_curve import DelayCurve, DelaySegment
from tests.encoded_files import encode

RATE = 48_000


def noise(frames: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """White noise, (channels, frames)."""
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    return path


def read_at(source: FileSource, frame: int, frames: int) -> np.ndarray:
    source.seek(frame)
    return source.read(frames)


@pytest.mark.parametrize("offset_frames", [0, 7_001, -12_345])
@pytest.mark.parametrize(("name", "rate"), [("target.wav", RATE), ("target.flac", 44_100), ("target.m4a", 44_100)])
def test_rows_equal_each_file_alone_at_random_positions(tmp_path, name, rate, offset_frames):
    dry = write(tmp_path / "dry.wav", noise(100_000, 2))
    target = encode(tmp_path / name, noise(90_000, 2, seed=1), rate)
    pair = FilePairSource(dry, target, delay_s=offset_frames / RATE)
    alone = FileSource(dry, channels=2), FileSource(target, sample_rate=RATE, channels=2)
    lengths = [file.frames or 0 for file in alone]
    starts = max(0, -offset_frames), max(0, offset_frames)
    assert (pair.sample_rate, pair.channels, pair.start_frame) == (RATE, 4, starts[0])
    assert pair.frames == min(lengths[0] - starts[0], lengths[1] - starts[1])
    np.testing.assert_array_equal(pair.read(500)[:2], read_at(alone[0], starts[0], 500))
    for frame in np.random.default_rng(2).integers(0, pair.frames, 20):
        pair.seek(int(frame))
        frames = min(3_000, pair.frames - frame)
        block = pair.read(3_000)
        assert block.shape == (4, frames)
        np.testing.assert_array_equal(block[:2], read_at(alone[0], starts[0] + frame, frames))
        np.testing.assert_array_equal(block[2:], read_at(alone[1], starts[1] + frame, frames))


@pytest.mark.parametrize("sizes", [(1, 63, 4096), (5000,)])
def test_sequential_reads_give_the_common_part_once(tmp_path, sizes):
    dry, target = noise(20_000), noise(30_000, seed=1)
    pair = FilePairSource(write(tmp_path / "a.wav", dry), write(tmp_path / "b.wav", target), delay_s=-500 / RATE)
    parts = []
    while (part := pair.read(sizes[len(parts) % len(sizes)])).shape[1]:
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), np.stack([dry[0, 500:], target[0, :19_500]]))
    pair.seek(50_000)
    assert pair.read(10).shape == (2, 0)
    with pytest.raises(ValueError, match="before the start"):
        pair.seek(-1)


def test_sample_rate_is_that_of_the_dry_recording_unless_another_is_given(tmp_path):
    dry = write(tmp_path / "a.wav", noise(44_100), 44_100)
    target = write(tmp_path / "b.wav", noise(RATE), RATE)
    assert (FilePairSource(dry, target).sample_rate, FilePairSource(dry, target).frames) == (44_100, 44_100)
    pair = FilePairSource(dry, target, sample_rate=96_000)
    assert (pair.sample_rate, pair.frames) == (96_000, 96_000)
    np.testing.assert_array_equal(pair.read(96_000)[1:], FileSource(target, sample_rate=96_000).read(96_000))


def test_recording_of_one_channel_is_compared_with_each_of_the_other(tmp_path):
    mono, stereo = noise(1_000), noise(1_000, 2, seed=1)
    paths = write(tmp_path / "mono.wav", mono), write(tmp_path / "stereo.wav", stereo)
    notice = f"{paths[0]}: has one channel; it is compared with each of the 2 channels of {paths[1]}"
    pair = FilePairSource(*paths)
    np.testing.assert_array_equal(pair.read(1_000), np.concatenate([mono, mono, stereo]))
    assert pair.notices == (notice,)
    pair = FilePairSource(*paths[::-1])
    np.testing.assert_array_equal(pair.read(1_000), np.concatenate([stereo, mono, mono]))
    assert pair.notices == (notice,)


@pytest.mark.parametrize(
    ("dry_channels", "target_channels", "compared", "notices"),
    [
        (1, 1, 1, ()),
        (2, 2, 2, ()),
        (8, 8, 8, ()),
        (6, 2, 2, ("a.wav: has 6 channels, of which the first 2 are compared",)),
        (2, 6, 2, ("b.wav: has 6 channels, of which the first 2 are compared",)),
        (10, 9, 8, ("a.wav: has 10 channels, of which the first 8 are compared",
                    "b.wav: has 9 channels, of which the first 8 are compared")),
    ],
)  # fmt: skip
def test_channels_of_the_files_are_compared_one_with_one(tmp_path, dry_channels, target_channels, compared, notices):
    dry, target = noise(1_000, dry_channels), noise(1_000, target_channels, seed=1)
    pair = FilePairSource(write(tmp_path / "a.wav", dry), write(tmp_path / "b.wav", target))
    assert pair.channels == 2 * compared
    np.testing.assert_array_equal(pair.read(1_000), np.concatenate([dry[:compared], target[:compared]]))
    assert pair.notices == tuple(f"{tmp_path}/{notice}" for notice in notices)


def test_mono_mix_is_compared_on_request_only(tmp_path):
    dry, target = noise(1_000, 2), noise(1_000, 6, seed=1)
    paths = write(tmp_path / "a.wav", dry), write(tmp_path / "b.wav", target)
    pair = FilePairSource(*paths, channels=1)
    means = [samples.astype(np.float64).mean(axis=0).astype(np.float32) for samples in (dry, target)]
    np.testing.assert_array_equal(pair.read(1_000), np.stack(means))
    assert pair.notices == ()
    assert FilePairSource(paths[1], paths[1], channels=2).channels == 4


def test_recordings_without_a_common_part_are_rejected(tmp_path):
    paths = write(tmp_path / "a.wav", noise(RATE)), write(tmp_path / "b.wav", noise(RATE))
    assert FilePairSource(*paths, delay_s=1 / RATE - 1).frames == 1
    with pytest.raises(InputError, match=r"b\.wav: has no part in common with .*a\.wav when it is 1\.000 s earlier; "):
        FilePairSource(*paths, delay_s=-1.0)


def test_invalid_recordings_are_named(tmp_path):
    path = write(tmp_path / "a.wav", noise(1_000))
    broken = write(tmp_path / "b.wav", np.full((1, 1_000), np.nan, np.float32))
    for pair in ((path, tmp_path / "none.wav"), (tmp_path / "none.wav", path)):
        with pytest.raises(InputError, match=r"none\.wav: does not exist"):
            FilePairSource(*pair)
    for pair in ((path, broken), (broken, path)):
        with pytest.raises(InputError, match=r"b\.wav: contains NaN"):
            FilePairSource(*pair).check_finite()


def test_memory_does_not_grow_with_the_recordings(tmp_path):
    path = tmp_path / "ten_hours.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:  # FLAC of silence is tiny: ten hours in 2 MB
        for _ in range(600):
            file.write(np.zeros(480_000, np.int16))
    pair = FilePairSource(path, path, sample_rate=44_100, delay_s=-3_600.0)
    assert pair.frames == 9 * 3_600 * 44_100
    loop = SectionSource(pair, 3_600 * 44_100, 3_700 * 44_100, loop=True)
    tracemalloc.start()
    for _ in range(1_000):
        assert loop.read(4_096).shape == (2, 4_096)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4_000_000


@pytest.mark.parametrize("section_frames", [1_000, 300_000])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_loop_over_a_section_repeats_the_same_frames_without_a_gap(tmp_path, rate, section_frames):
    dry = write(tmp_path / "a.wav", noise(400_000))
    target = write(tmp_path / "b.wav", noise(400_000, seed=1), rate)
    pair = FilePairSource(dry, target, delay_s=-40 / RATE)
    pair.seek(20_000)
    once = pair.read(section_frames)
    loop = SectionSource(FilePairSource(dry, target, delay_s=-40 / RATE), 20_000, 20_000 + section_frames, loop=True)
    assert (loop.frames, loop.loop_frames, loop.channels, loop.sample_rate) == (None, section_frames, 2, RATE)
    parts = [loop.read(frames) for frames in (1, 4_096, section_frames, 2 * section_frames, 77)]
    played = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(played, np.tile(once, 8)[:, : played.shape[1]])
    loop.seek(section_frames + 600)
    np.testing.assert_array_equal(loop.read(section_frames), np.roll(once, -600, axis=1))


def test_section_that_is_played_once_ends_where_it_should(tmp_path):
    dry, target = noise(1_000), noise(1_000, seed=1)
    pair = FilePairSource(write(tmp_path / "a.wav", dry), write(tmp_path / "b.wav", target))
    section = SectionSource(pair, 100, 5_000)
    assert section.frames == 900
    np.testing.assert_array_equal(section.read(2_000), np.concatenate([dry, target])[:, 100:])
    assert section.read(1).shape == (2, 0)
    section.seek(890)
    assert section.read(100).shape == (2, 10)
    with pytest.raises(ValueError, match="is empty"):
        SectionSource(pair, 1_000, 2_000, loop=True)


def test_target_is_aligned_along_a_curve_and_missing_sound_is_silent_in_both(tmp_path):
    """The target's clock runs 10 % fast, and 200 frames of it were lost."""
    time_s = np.arange(6_000) / RATE
    dry, target = (np.sin(2 * np.pi * 500 * scale * time_s)[None].astype(np.float32) for scale in (1.0, 1 / 1.1))
    lost = np.concatenate([target[:, :3_300], target[:, 3_520:]], axis=1)
    before = DelaySegment(-np.inf, 3_000 / RATE, 0.0, 1e5)
    after = DelaySegment(3_200 / RATE, np.inf, -220 / RATE, 1e5)
    paths = write(tmp_path / "a.wav", dry), write(tmp_path / "b.wav", lost)
    pair = FilePairSource(*paths, curve=DelayCurve((before, after)))
    assert (pair.start_frame, pair.offset_frames, pair.frames) == (0, 0, math.ceil(6_000 / 1.1))
    block = pair.read(5_300)
    np.testing.assert_array_equal(block[:, 3_000:3_200], 0.0)
    sounding = np.r_[100:2_900, 3_300:5_300]
    np.testing.assert_array_equal(block[0, sounding], dry[0, sounding])
    np.testing.assert_allclose(block[1, sounding], dry[0, sounding], atol=2e-4)
    pair.seek(1_234)
    np.testing.assert_allclose(pair.read(500), block[:, 1_234:1_734], atol=1e-6)
