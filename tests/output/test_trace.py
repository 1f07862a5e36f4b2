"""History of estimates: error, settling time, gaps; rows of the CSV; atomic writes."""

import io
import json
import math
import os
import resource
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtgain.errors import InputError
from rtgain.output.csv_writer import CSV_COLUMNS, CsvWriter, csv_row
from rtgain.records.estimate import Estimate, State
from rtgain.records.history import GAP_S, History, Summary
from rtgain.session.estimate_history import HISTORY_S, MAX_ESTIMATES, EstimateHistory
from rtgain.system.atomic_write import write_atomic

RATE = 48_000
HOP = 1024

HEADER = (
    "time_s,gain_true_db,gain_est_db,gain_opt_db,std_db,loss,state,steps,delay_ms,polarity,"
    "gain_left_db,gain_right_db,polarity_left,polarity_right\n"
)

ESTIMATE = Estimate(
    center_frame=2048.0,
    available_frame=4096.0,
    gain_true_db=-12.0,
    gain_est_db=-11.9,
    gain_opt_db=-12.0000004,
    opt_std_db=0.5,
    least_squares_db=-12.1,
    bound_db=0.2,
    std_db=0.25,
    loss=1 / 3,
    state=State.TRACKING,
    steps=7,
    delay_frames=240.0,
    polarity=-1,
    channel_gains_db=(-11.9,),
    channel_polarities=(-1,),
    channel_delays_frames=(240.0,),
)
STEREO = replace(
    ESTIMATE,
    polarity=0,
    channel_gains_db=(-7.0, -5.0000004),
    channel_polarities=(1, -1),
    channel_delays_frames=(240.0, 241.0),
)


def history_of(*errors_db: float, state: State = State.TRACKING) -> EstimateHistory:
    """A history of estimates one hop apart, the first at 0 s, with these errors."""
    history = EstimateHistory(RATE)
    for number, error_db in enumerate(errors_db):
        history.add(
            replace(ESTIMATE, center_frame=float(number * HOP), gain_est_db=-12.0 + error_db, steps=2, state=state)
        )
    return history


# --- error and settling ---------------------------------------------------------------------------


def test_rmse_is_over_tracking_estimates_with_a_reference() -> None:
    history = history_of(0.3, -0.4)
    history.add(replace(ESTIMATE, gain_est_db=20.0, state=State.CONVERGING))
    history.add(replace(ESTIMATE, gain_est_db=20.0, gain_true_db=math.nan))
    assert history.rmse_db == pytest.approx(math.sqrt((0.3**2 + 0.4**2) / 2))
    assert (history.count, history.steps) == (4, 2 + 2 + 7 + 7)


@pytest.mark.parametrize("state", [state for state in State if state is not State.TRACKING])
def test_without_a_tracking_estimate_there_is_no_rmse(state: State) -> None:
    assert history_of(0.1, 0.2, state=state).rmse_db is None
    assert EstimateHistory(RATE).rmse_db is None


@pytest.mark.parametrize(
    ("errors_db", "settled_at"),
    [
        ((3.0, 1.0, 0.09, -0.09, 0.0), 2),
        ((0.0, 0.0), 0),
        ((0.0, 0.0, 0.11, 0.05), 3),  # all later errors must be small
        ((0.0, -0.11), None),
        ((0.0, math.nan), None),
        ((), None),
    ],
)
def test_settling_time_is_the_first_time_after_which_all_errors_are_small(
    errors_db: tuple[float, ...], settled_at: int | None
) -> None:
    expected = None if settled_at is None else settled_at * HOP / RATE
    assert history_of(*errors_db).settle_s == expected


def test_history_takes_constant_memory_unless_it_keeps_all() -> None:
    recent, complete = EstimateHistory(RATE), EstimateHistory(RATE, keep_all=True)
    for number in range(2 * MAX_ESTIMATES + 500):
        for history in (recent, complete):
            history.add(replace(ESTIMATE, center_frame=float(number * HOP)))
    history = recent.latest()
    assert len(history.time_s) == len(recent.to_array()) == MAX_ESTIMATES
    assert len(complete.latest().time_s) == len(complete.to_array()) == 2 * MAX_ESTIMATES + 500
    np.testing.assert_array_equal(complete.latest().time_s[-MAX_ESTIMATES:], history.time_s)
    assert np.all(np.diff(history.time_s) > 0)
    assert Estimate.from_row(recent.to_array()[-1]) == replace(
        ESTIMATE, center_frame=float((2 * MAX_ESTIMATES + 499) * HOP)
    )
    last = [column[..., -1].tolist() for column in vars(history).values()]
    levels_db = [-12.0, -11.9, -12.0000004, 0.25, 1 / 3, -12.1, 0.2]
    assert last == [(2 * MAX_ESTIMATES + 499) * HOP / RATE, *levels_db, [-11.9], [-1]]
    shown = recent.latest(HISTORY_S).time_s
    assert shown[-1] - shown[0] == pytest.approx(HISTORY_S, abs=HOP / RATE)
    np.testing.assert_array_equal(shown, history.time_s[-len(shown) :])


def test_history_has_the_gains_and_polarities_of_every_channel() -> None:
    history = EstimateHistory(RATE, channels=2)
    for gain_db in (-7.0, -8.0, -9.0):
        history.add(replace(STEREO, channel_gains_db=(gain_db, -5.0)))
    latest = history.latest()
    np.testing.assert_array_equal(latest.channel_gains_db, [[-7.0, -8.0, -9.0], [-5.0, -5.0, -5.0]])
    np.testing.assert_array_equal(latest.channel_polarities, [[1, 1, 1], [-1, -1, -1]])
    assert Estimate.from_row(history.to_array()[0]) == replace(STEREO, channel_gains_db=(-7.0, -5.0))


def test_columns_of_an_empty_history_are_empty() -> None:
    columns = vars(EstimateHistory(RATE, channels=2).latest()).values()
    assert [column.shape for column in columns] == [(0,)] * 8 + [(2, 0)] * 2


# --- gaps -----------------------------------------------------------------------------------------


def history_at(*time_s: float) -> History:
    """Estimates at these times, with every field equal to the time."""
    return History(*[np.array(time_s)] * 8, *[np.array([time_s])] * 2)


@pytest.mark.parametrize(
    ("time_s", "breaks_s"),
    [
        ((0.0, 0.1, 0.2, 1.2, 1.3), [0.7]),
        ((0.0, 0.1, 0.1 + GAP_S, 0.2 + GAP_S), []),
        ((0.0, 2.0, 4.0, 6.0), []),  # the hop may be 2 s
        ((0.0, 2.0, 6.0, 8.0, 12.0, 14.0), [4.0, 10.0]),
        ((0.0, 0.1, 0.2, 2.2, 4.2, 6.2), [1.2]),  # the hop changed
        ((0.0, 3.0, 3.1), [1.5]),
        ((0.0, 0.1, 3.1), [1.6]),
        ((0.0, 3.0), []),
        ((0.0,), []),
        ((), []),
    ],
)
def test_gap_exceeds_the_shorter_of_its_neighbors(time_s: tuple[float, ...], breaks_s: list[float]) -> None:
    history = history_at(*time_s)
    with_markers = history.with_gap_markers()
    added = np.isin(with_markers.time_s, time_s, invert=True)
    assert with_markers.time_s[added] == pytest.approx(breaks_s)
    assert np.all(np.diff(with_markers.time_s) > 0)
    for name, column in vars(with_markers).items():
        np.testing.assert_array_equal(np.atleast_2d(column)[:, ~added], [time_s])
        if name != "time_s":
            assert np.all(np.isnan(column[..., added])), name


# --- the CSV --------------------------------------------------------------------------------------


def test_row_has_microseconds_and_millionths_of_a_decibel() -> None:
    assert csv_row(ESTIMATE, RATE) == (
        "0.042667,-12.000000,-11.900000,-12.000000,0.250000,0.333333,tracking,7,5.000000,-1,,,,\n"
    )


def test_row_of_a_stereo_session_ends_with_gain_and_polarity_of_left_and_right() -> None:
    assert csv_row(STEREO, RATE).endswith(",tracking,7,5.000000,0,-7.000000,-5.000000,1,-1\n")
    silent_right = replace(STEREO, channel_gains_db=(-7.0, math.nan), channel_polarities=(1, 0))
    assert csv_row(silent_right, RATE).endswith(",tracking,7,5.000000,0,-7.000000,,1,0\n")


def test_unknown_number_is_an_empty_cell() -> None:
    unknown = replace(
        ESTIMATE,
        gain_true_db=math.nan,
        gain_opt_db=-math.inf,
        std_db=math.inf,
        loss=math.nan,
        delay_frames=math.nan,
        polarity=0,
        state=State.WAITING,
    )
    assert csv_row(unknown, RATE) == "0.042667,,-11.900000,,,,waiting,7,,0,,,,\n"


def test_row_has_no_negative_zero() -> None:
    row = csv_row(replace(ESTIMATE, gain_est_db=-4e-7, gain_true_db=-0.0, delay_frames=-1e-9), RATE)
    assert row == "0.042667,0.000000,0.000000,-12.000000,0.250000,0.333333,tracking,7,0.000000,-1,,,,\n"


@given(st.floats(-200, 200), st.sampled_from(State), st.sampled_from([-1, 0, 1]))
def test_row_reads_back_as_its_estimate(gain_db: float, state: State, polarity: int) -> None:
    row = csv_row(replace(ESTIMATE, gain_est_db=gain_db, state=state, polarity=polarity), RATE)
    cells = dict(zip(CSV_COLUMNS, row.rstrip("\n").split(","), strict=True))
    assert float(cells["gain_est_db"]) == pytest.approx(gain_db, abs=5.1e-7)
    assert (cells["state"], int(cells["polarity"])) == (state.name.lower(), polarity)


def test_row_is_in_the_file_as_soon_as_it_is_added(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    writer = CsvWriter.create(path, RATE)
    assert path.read_text() == HEADER
    writer.add(ESTIMATE)
    writer.add(ESTIMATE)
    assert path.read_text() == HEADER + 2 * csv_row(ESTIMATE, RATE)
    writer.close()


def test_csv_on_a_full_disk_is_named_at_creation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^/dev/full: cannot be written \(No space left on device\); "):
        CsvWriter.create(Path("/dev/full"), RATE)


def test_full_disk_raises_in_every_call(tmp_path: Path) -> None:
    """The row that did not fit is still buffered when the file is closed."""
    writer = CsvWriter.create(tmp_path / "t.csv", RATE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Beyond this size, writing fails as on a full disk: in the middle of the first row.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(HEADER) + 10, hard))
    try:
        for call in (lambda: writer.add(ESTIMATE), writer.close):
            with pytest.raises(InputError, match=r"t\.csv: cannot be written \(.+\); "):
                call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "t.csv").read_text() == HEADER


def test_closed_pipe_is_not_an_input_error() -> None:
    read_end, write_end = os.pipe()
    writer = CsvWriter(os.fdopen(write_end, "w"), "a pipe", RATE)
    os.close(read_end)
    for call in (lambda: writer.add(ESTIMATE), writer.close):
        with pytest.raises(BrokenPipeError):
            call()


# --- atomic writes -------------------------------------------------------------------------


def test_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"the old one, which is longer")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_leaves_only_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(
            InputError, match=r"s\.json: cannot be written \(.+\); choose another location or free some space"
        ):
            write_atomic(path, bytes(1001))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_file_has_a_random_name_and_is_never_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a user who may write to the directory could create a link and redirect the content."""
    tokens = iter(["first", "second"])
    monkeypatch.setattr(
        "rtgain.system.atomic_write.secrets.token_hex", lambda size: next(tokens) if size >= 8 else "guessed"
    )
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    trap = tmp_path / ".rtgain-first.part"
    trap.symlink_to(victim)
    with pytest.raises(InputError, match="File exists"):
        write_atomic(tmp_path / "s.json", b"new")
    write_atomic(tmp_path / "s.json", b"new")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "s.json").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["none/s.json", "", "a" * 300, "a" * 256])
def test_impossible_path_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        write_atomic(path, b"new")
    assert str(caught.value).startswith(f"{path}: cannot be written (")
    assert list(tmp_path.iterdir()) == []


def test_link_to_the_file_is_preserved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "s.json"
    link.symlink_to("real/s.json")
    for content in (b"first", b"second"):
        write_atomic(link, content)
        assert link.is_symlink()
        assert (tmp_path / "real" / "s.json").read_bytes() == content


def test_pipe_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    os.mkfifo(path)
    writing = threading.Thread(target=write_atomic, args=(path, b"new"))
    writing.start()
    assert path.read_bytes() == b"new"
    writing.join()
    assert path.is_fifo()


def test_json_has_null_for_unknown_numbers_and_never_nan() -> None:
    summary = Summary(
        version="1", input="demo", target="reference", channels=2, sample_rate=RATE, duration_s=1.5, processor="gain",
        loss="spectral", optimizer="Rprop", gain_db=-12.0, gain_linear=None, std_db=None, delay_ms=None, drift_ppm=None,
        polarity=-1, state="silent", channel_gains_db=[-12.0, None], channel_polarities=[-1, 0], filters=None,
        rmse_db=None,
        settle_s=None, estimates=3, frames=72_000, dropped_frames=0, xruns=0, realtime_factor=2.0,
        steps_per_second=None,
    )  # fmt: skip
    text = summary.to_json()
    assert text.endswith("}\n")
    result = json.loads(text)
    assert (result["gain_db"], result["std_db"], result["channel_gains_db"]) == (-12.0, None, [-12.0, None])
    with pytest.raises(ValueError, match="not JSON compliant"):  # no file is better than an invalid one
        replace(summary, gain_db=math.nan).to_json()


def test_standard_output_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    writer = CsvWriter(out, "standard output", RATE)
    writer.close()
    assert not out.closed
    assert out.getvalue() == HEADER
