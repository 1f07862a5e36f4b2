"""Export of a lesson: repeatable bytes, a self-contained page, correct media."""

import base64
import io
import re
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.commands import rtgain, start_rtgain
from tests.polling import TIMEOUT_S

NAME = "waveform-loss"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp("export") for _ in range(2)]
    fresh = (True, False)  # with two different hashes of strings, too
    exports = [start_rtgain("lesson", NAME, "--export", f, fresh=new) for f, new in zip(folders, fresh, strict=True)]
    for export in exports:
        out, errors = export.communicate(timeout=TIMEOUT_S)
        assert (export.returncode, errors) == (0, "")
        assert "✗" not in out
    return folders


def rms_db(path: Path) -> float:
    samples, rate = soundfile.read(path)
    middle = samples[rate // 10 : -rate // 10]
    return float(10 * np.log10(np.mean(middle**2)))


def test_the_same_seed_gives_the_same_bytes(exported: list[Path]) -> None:
    one, other = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in exported)
    assert one == other
    assert {path.suffix for path in one} == {".html", ".ipynb", ".png", ".svg", ".gif", ".mp4", ".wav"}


def test_the_page_contains_all_media_and_loads_nothing(exported: list[Path]) -> None:
    page = (exported[0] / f"{NAME}.html").read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]*)"', page)
    embedded = [base64.b64decode(re.fullmatch(r"data:[a-z]+/[a-z0-9]+;base64,(.*)", source)[1]) for source in sources]
    files = [path.read_bytes() for path in (exported[0] / NAME).iterdir() if path.suffix in (".png", ".wav", ".mp4")]
    assert sorted(embedded) == sorted(files)
    assert "http" not in re.sub(r'src="[^"]*"', "", page)
    assert "{" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_the_page_lists_expected_values_as_sentences(exported: list[Path]) -> None:
    page = (exported[0] / f"{NAME}.html").read_text(encoding="utf-8")
    expected = re.findall(r"<tr><td>([^<]*)</td>", page)
    assert "At 45°, SGD on the waveform loss ends at a gain of 0.1 to 0.112." in expected
    assert [text for text in expected if not re.match(r"[A-Za-z]", text)] == []


def test_phase_shifted_targets_have_the_same_level_and_the_matched_signal_at_90_degrees_is_almost_silent(
    exported: list[Path],
) -> None:
    folder = exported[0] / NAME
    plain_db = rms_db(folder / "target_0.wav")
    # The dry sine has half of full scale; the RMS of a sine is its peak divided by √2.
    assert plain_db == pytest.approx(20 * np.log10(0.5 * 0.15 / np.sqrt(2)), abs=0.02)
    assert rms_db(folder / "target_90.wav") == pytest.approx(plain_db, abs=0.02)
    assert rms_db(folder / "target_180.wav") == pytest.approx(plain_db, abs=0.02)
    assert rms_db(folder / "matched_90.wav") < plain_db - 40


def test_the_animation_moves_in_both_formats(exported: list[Path]) -> None:
    folder = exported[0] / NAME
    gif = Image.open(io.BytesIO((folder / "animation.gif").read_bytes()))
    assert (gif.size, gif.n_frames) == ((640, 280), 75)
    with av.open(folder / "animation.mp4") as file:
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]
    assert frames[0].shape == (560, 1280)
    assert len(frames) == 95
    assert np.abs(frames[0].astype(int) - frames[74]).max() > 100


def test_an_unknown_lesson_is_rejected_in_one_line() -> None:
    ran = rtgain("lesson", "violin")
    assert ran.returncode == 2
    assert ran.stderr.startswith("rtgain: lesson: 'violin' is not one of 1 to 8, gradient-descent, ")
    assert ran.stderr.count("\n") == 1


def test_lessons_are_listed_without_a_name() -> None:
    ran = rtgain("lesson")
    assert re.findall(r"^(\d)  (\S+)", ran.stdout, re.M)[0] == ("1", "gradient-descent")
    assert len(ran.stdout.splitlines()) == 8
