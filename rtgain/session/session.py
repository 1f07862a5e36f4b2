"""Session: one source, one engine, one clock and one estimator, behind one interface for GUI and command line."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.io.devices import DeviceSetup
from rtgain.audio.io.driver import Driver
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.io.portaudio_driver import PortAudioDriver
from rtgain.audio.io.timer_driver import TimerDriver
from rtgain.audio.sources.section import SectionSource
from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.estimator_settings import MIN_REFERENCE_GAIN, EstimatorSettings
from rtgain.config.names import (
    CHANNEL_NAMES,
    DEFAULT_SYNTHETIC_S,
    MAX_DELAY_S,
    Clock,
    LevelMatchMode,
    Monitor,
)
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import DeviceLostError, InputError
from rtgain.estimation.runner import EstimatorRunner, InProcessRunner
from rtgain.estimation.supervisor import Supervisor
from rtgain.metering.level_meter import LevelMeter
from rtgain.metering.rates import CLOCK_ADVICE, DEVICE_ADVICE, ClockRateMonitor, RateCounter
from rtgain.metering.scope_capture import capture_scope
from rtgain.number_format import none_if_nan
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.estimate import Estimate, State
from rtgain.records.history import Summary
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.records.level_match import LevelDifference, LevelMatch
from rtgain.records.levels import Level
from rtgain.records.recording_offset import RecordingOffset
from rtgain.records.session_export import SessionExport
from rtgain.records.snapshot import ChannelCounts, Comparison, Snapshot
from rtgain.session.estimate_history import HISTORY_S, EstimateHistory
from rtgain.session.io_setup import (
    SessionSource,
    count_channels,
    make_driver,
    make_engine,
    open_source,
    read_file_format,
    select_device_setup,
)
from rtgain.session.matched_recording import LiveMatchedReader, MatchedSignalReader, OfflineMatchedRenderer
from rtgain.session.pair_offset import search_offset
from rtgain.session.source_position import SourcePosition
from rtgain.version import __version__

OFFLINE_BATCH_HOPS = 64
"""Hops that the offline clock plays per `advance`: as many as the estimator processes in one batch.

Fewer if hops are long, because the ring buffer must still hold the windows at any delay.
"""

POLL_S = 0.05
"""Interval in seconds at which `advance` polls a live session."""


class Session:
    """A session between `start` and `stop`. One thread uses it; on a live clock, audio and estimator run elsewhere.

    On the offline clock nothing runs by itself: `advance` plays and estimates. `keep_all_estimates` keeps every
    estimate for a figure; otherwise the history takes constant memory. `record` keeps the matched signal for
    `read_matched`. `offset` is that of a second recording; without it, it is searched for first. `max_channels` limits
    the channels that two recordings are compared in. `level_match` are the differences of two recordings over their
    section, if they are known; those of other inputs are measured while the session runs.
    `closed_form` estimates without gradient descent.

    Raises `InputError` for a source or an automation that cannot be used, `DeviceError` for a device.
    """

    engine_type: type[Engine] = Engine
    """Type of the engine, for benchmarks that replace it."""

    supervisor_type: type[Supervisor] = Supervisor
    """Type of the estimator runner on live clocks, for benchmarks that replace it."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        clock: Clock,
        keep_all_estimates: bool = False,
        record: bool = False,
        offset: RecordingOffset | None = None,
        max_channels: int = len(CHANNEL_NAMES),
        level_match: LevelMatch | None = None,
        closed_form: bool = False,
    ) -> None:
        self.config = config
        self.clock: Clock = clock
        self._max_channels = max_channels
        self._limit_frame: int | None = None
        self._first_frame = -math.inf
        self._runner: EstimatorRunner | None = None
        self._driver: Driver | None = None
        self._notices: deque[str] = deque(maxlen=20)
        file_format = read_file_format(config)
        self.channels = count_channels(config, file_format, max_channels)
        preferred_rate = file_format.sample_rate if file_format else None
        self._pair_channels = min(file_format.channels, max_channels) if file_format and config.is_pair else 0
        if record and clock == "offline" and config.level_match == "loudness" and not config.is_pair:
            raise InputError(
                "level-match: loudness is measured on live clocks, or before two recordings are compared; "
                "use --clock timer, or --level-match estimate"
            )
        self.device_setup: DeviceSetup | None = None
        if clock == "device":
            self.device_setup, self.channels = select_device_setup(config, self.channels, preferred_rate)
        self.offset = offset or (search_offset(config) if config.is_pair else None)
        self._opened = open_source(config, self.device_setup, self.channels, self.offset)
        self._source = self._opened.source
        self._notices.extend(self._opened.notices)
        if self.offset is not None and self.offset.notice is not None:
            self._notices.append(self.offset.notice)
        try:
            opened = self.device_setup or self._source
            assert opened is not None, "only the device clock runs without a source"
            self.sample_rate = opened.sample_rate
            self._limit_duration()
            self._settings = self._make_settings(config)
            if closed_form:
                self._settings = replace(self._settings, closed_form=True)
            start_frame = self._opened.start_frame
            self._engine = make_engine(
                config, self.device_setup, self.sample_rate, self.channels, start_frame, self.engine_type
            )
        except BaseException:
            if self._source is not None:
                self._source.close()
            raise
        self.history = self._new_history(keep_all=keep_all_estimates)
        self._comparisons = {entry: self._new_history() for entry in config.compare}
        self._source_position = SourcePosition(self._opened.loop_frames, is_live=clock != "offline")
        self._meters = LevelMeter(self._engine.memory)
        self.level_match = level_match or LevelMatch(config.level_match)
        self._apply_trims()
        if clock != "offline":  # silence until a gain is known; offline, the matched signal is rendered afterwards
            self._engine.memory.control["matched_gain"] = 0.0
        self._matched: MatchedSignalReader | None = None
        if record:
            reader = OfflineMatchedRenderer if clock == "offline" else LiveMatchedReader
            self._matched = reader(self._engine.memory.audio, self.sample_rate, self._target_trim)
        self.equalizer: LearnedEqualizer | None = None
        """Newest learned equalizer; None with the processor ``gain``, and before the first fit."""
        self._learned: deque[LearnedEqualizer] = deque(maxlen=64)
        self._started_s = time.monotonic()
        self._frame_rate = RateCounter()
        self._estimate_rate = RateCounter()
        self._clock_monitor = ClockRateMonitor(self.sample_rate, DEVICE_ADVICE if clock == "device" else CLOCK_ADVICE)

    # --- running --------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise `InputError` for a source that would stop the session later: too short, or with NaN in a file."""
        needed = self._settings.window_frames
        if self.total_frames is not None and self.total_frames < needed:
            pair = f" and {self.config.target}: their common part" if self.config.is_pair else ":"
            raise InputError(
                f"{self.config.input}{pair} lasts {self.total_frames} frames at {self.sample_rate} Hz, less than one "
                f"analysis window of {needed}; use a longer sound or a shorter --window-ms"
            )
        if self._opened.recording is not None and self.clock == "offline":
            self._opened.recording.check_finite()

    def start(self, *, wait: bool = False, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Start estimator and clock. With `wait`, the clock starts when the estimator is ready, or `cancelled`."""
        memory, settings = self._engine.memory, self._settings
        if self.clock == "offline":
            self._runner = InProcessRunner(memory, settings)
        else:
            self._runner = self.supervisor_type(memory, settings)
        self._runner.start()
        if wait:
            self._runner.wait_until_ready(cancelled)
        self._driver = make_driver(self.config, self.clock, self.device_setup, self._engine, self._source)
        self._driver.start()
        self._started_s = time.monotonic()

    def advance(self) -> list[Estimate]:
        """Return the estimates since the last call. The offline clock plays one batch; a live clock waits `POLL_S`.

        Raises `InputError` if reading the source fails, `DeviceLostError` if the device is lost.
        """
        if isinstance(self._driver, OfflineDriver):
            settings, capacity = self._settings, self._engine.memory.audio.capacity
            history_frames = settings.window_frames + round(MAX_DELAY_S * self.sample_rate)
            frames = OFFLINE_BATCH_HOPS * settings.hop_frames
            if settings.closed_form and not self.frames:
                # The windows of all hops are then complete, also with a delay of a few frames, and batches end with the
                # intervals of the delay tracker. Closed forms do not depend on the batches; descents do, within their
                # tolerance.
                frames += settings.window_frames - settings.hop_frames // 2
            self._driver.advance(min(frames, capacity - history_frames))
        else:
            time.sleep(POLL_S)
            self._raise_faults()
        return self._poll()

    @property
    def is_finished(self) -> bool:
        """True at the end of the source, or of the duration."""
        control = self._engine.memory.control
        limited = self._limit_frame is not None and control["frames"] >= self._limit_frame
        return bool(control["ended"]) or limited

    def drain(self) -> list[Estimate]:
        """Stop the clock and return the remaining estimates. `stop` frees everything afterwards."""
        if self._driver is not None:
            self._driver.stop()
        if self._runner is None:
            return []
        remaining = self._runner.finish(self.frames)
        self._poll_equalizers(self._runner)
        estimates = self._add(remaining)
        self._poll_comparisons(self._runner)
        return estimates

    def stop(self) -> None:
        """Stop the clock, then the estimator, then free the memory. Idempotent."""
        if self._driver is not None:
            self._driver.stop()
        if self._runner is not None:
            self._runner.stop()
        if self._source is not None:
            self._source.close()
        if not (isinstance(self._driver, PortAudioDriver) and self._driver.abandoned):
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- results --------------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Frames played so far, without the silence after the end of the source."""
        control = self._engine.memory.control
        frames = int(control["end_frame"] if control["ended"] else control["frames"])
        return frames if self._limit_frame is None else min(frames, self._limit_frame)

    @property
    def start_s(self) -> float:
        """Time in the dry recording at which the session begins, in seconds."""
        return self._opened.start_frame / self.sample_rate

    @property
    def present_s(self) -> float:
        """Present time in the dry recording, in seconds."""
        return self.start_s + self._position_frame / self.sample_rate

    @property
    def total_frames(self) -> int | None:
        """Length of the session in frames; None if it has no end."""
        return self._limit_frame if self._source is None else self._source.frames

    @property
    def xruns(self) -> int:
        """Number of late blocks, as the device or the timer reports them."""
        return int(self._engine.memory.control["xruns"])

    @property
    def dropped_frames(self) -> int:
        """Frames that did not reach the estimator: overruns, plus silence at underruns of the source."""
        overrun_frames = self._runner.dropped_frames if self._runner else 0
        return overrun_frames + int(self._engine.memory.control["underrun_frames"])

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons with their estimates so far."""
        return tuple(_comparison(entry, history) for entry, history in self._comparisons.items())

    def read_matched(self) -> list[NDArray[np.float32]]:
        """Return the matched signal since the last call, in chunks of shape (channels, frames), if recorded."""
        return self._matched.read(self.frames) if self._matched is not None else []

    def pop_notices(self) -> list[str]:
        """Return the notices for the user since the last call."""
        if self._runner is not None:
            self._notices.extend(self._runner.notices())
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def levels(self) -> dict[str, Level]:
        """Return the present levels by signal (`METERED_SIGNALS` of `rtgain.records.levels`)."""
        return self._meters.levels()

    def snapshot(self, *, scope: bool = False) -> Snapshot:
        """Return the present state, with `scope` also the newest window. It polls estimates: do not mix with `advance`.

        Raises the same errors as `advance`.
        """
        self._raise_faults()
        self._poll()
        memory, runner, driver, last = self._engine.memory, self._runner, self._driver, self.history.last
        control = memory.control
        if runner is not None:
            runner.enable_diagnostics()
        frames, length = int(control["frames"]), self._length_frames
        self._frame_rate.update(frames)
        self._estimate_rate.update(self.history.count)
        return Snapshot(
            running=driver is not None and not self.is_finished,
            is_finished=self.is_finished,
            clock=self.clock,
            description=driver.description if driver else "",
            channels=self.channels,
            channel_counts=self._channel_counts,
            sample_rate=self.sample_rate,
            block=driver.block if driver else 0,
            frames=frames,
            time_s=(self._opened.start_frame + frames) / self.sample_rate,
            position_s=self._position_frame / self.sample_rate,
            start_s=self.start_s,
            length_s=None if length is None else length / self.sample_rate,
            state=last.state.label if last else "waiting",
            gain_db=last.gain_est_db if last else math.nan,
            gain_linear=10.0 ** (last.gain_est_db / 20.0) if last else math.nan,
            std_db=last.std_db if last else math.nan,
            delay_ms=1e3 * last.delay_frames / self.sample_rate if last else math.nan,
            drift_ppm=math.nan if self._drift_ppm is None else self._drift_ppm,
            polarity=last.polarity if last else 0,
            channel_gains_db=last.channel_gains_db if last else (math.nan,) * self.channels,
            channel_polarities=last.channel_polarities if last else (0,) * self.channels,
            reference_gain_db=self._reference_gain_db(),
            history=self.history.latest(HISTORY_S),
            comparisons=self.comparisons,
            curves=runner.curves() if runner else None,
            response=runner.response() if runner else None,
            scope=capture_scope(memory.audio, self._settings.window_frames, self.sample_rate) if scope else None,
            levels=self.levels(),
            level_match=self.level_match,
            clipped_frames=int(control["clipped_frames"]),
            xruns=self.xruns,
            dropped_frames=self.dropped_frames,
            estimator_restarts=runner.restarts if runner else 0,
            load=driver.load if driver else 0.0,
            frames_per_second=self._frame_rate.per_second,
            estimates_per_second=self._estimate_rate.per_second,
            estimate_age_s=(frames - last.available_frame) / self.sample_rate if last else math.nan,
            hop_s=self._settings.hop_frames / self.sample_rate,
            notices=tuple(self.pop_notices()),
            equalizer=self.equalizer,
        )

    def summary(self) -> Summary:
        """Return the results so far. Rates refer to the time since `start` returned."""
        history, last = self.history, self.history.last
        elapsed_s = time.monotonic() - self._started_s
        duration_s = self.frames / self.sample_rate
        unknown: list[float | None] = [None] * self.channels
        return Summary(
            version=__version__,
            input=self.config.input,
            target=self.config.target,
            channels=self.channels,
            sample_rate=self.sample_rate,
            duration_s=duration_s,
            processor=self._settings.processor,
            loss=self._settings.loss,
            optimizer=self._settings.optimizer,
            gain_db=none_if_nan(last.gain_est_db) if last else None,
            gain_linear=none_if_nan(10.0 ** (last.gain_est_db / 20.0)) if last else None,
            std_db=none_if_nan(last.std_db) if last else None,
            delay_ms=none_if_nan(1e3 * last.delay_frames / self.sample_rate) if last else None,
            drift_ppm=self._drift_ppm,
            polarity=last.polarity if last else 0,
            state=last.state.label if last else "waiting",
            channel_gains_db=[none_if_nan(gain_db) for gain_db in last.channel_gains_db] if last else unknown,
            channel_polarities=list(last.channel_polarities) if last else [0] * self.channels,
            filters=[item.to_object() for item in self.equalizer.equalizer.filters] if self.equalizer else None,
            rmse_db=history.rmse_db,
            settle_s=history.settle_s,
            estimates=history.count,
            frames=self.frames,
            dropped_frames=self.dropped_frames,
            xruns=self.xruns,
            realtime_factor=duration_s / elapsed_s,
            steps_per_second=history.steps / elapsed_s,
        )

    def export(self, config: SessionConfig) -> SessionExport:
        """Return the results so far; `config` has the changes that were made while the session ran."""
        history = self.history
        return SessionExport(config, self.sample_rate, history.to_array(), history.latest(), self.summary())

    # --- changes while it runs ------------------------------------------------------------------

    def set_reference(
        self,
        *,
        gain_db: float | None = None,
        polarity: int | None = None,
        phase_deg: float | None = None,
        delay_ms: float | None = None,
        noise_dbfs: float | None = None,
        equalizer: EqualizerFilters | None = None,
    ) -> None:
        """Change the reference path: `polarity` 1 or −1, `noise_dbfs` −inf for none; None keeps a value.

        Setting the gain ends an automation. Raises `ValueError` outside the ranges, `InputError` for filters that do
        not suit the sample rate.
        """
        if equalizer is not None:
            self._engine.reference.set_equalizer(equalizer)
        if gain_db is not None:
            self._engine.reference.set_automation(None)
        self._engine.reference.set(
            gain_db=gain_db, polarity=polarity, phase_deg=phase_deg, delay_ms=delay_ms, noise_dbfs=noise_dbfs
        )

    def set_monitor(self, monitor: Monitor) -> None:
        """Select the monitored signal."""
        self._engine.set_monitor(monitor)

    def set_level_match(self, mode: LevelMatchMode) -> None:
        """Select the difference in level that the trims of the monitor remove."""
        self._change_level_match(mode=mode)

    def set_level_differences(
        self, *, gain_db: float, loudness_lu: float, others: tuple[LevelDifference, ...] = ()
    ) -> None:
        """Set the differences of two recordings over their section: target minus dry; NaN for an unknown one.

        `others` are those of other targets, for sessions that play one of several (see `LevelMatch`).
        They stay constant while the session runs, so that the dynamics of a processor are not copied to the monitor.
        """
        self._change_level_match(gain_db=gain_db, loudness_lu=loudness_lu, others=others)

    def open_target(self, config: SessionConfig, offset: RecordingOffset) -> SessionSource | None:
        """Open the same dry recording with another target, for `play_target`; None if only a new session can play it.

        Any thread may call it. Raises `InputError`.
        """
        channels = count_channels(config, read_file_format(config), self._max_channels)
        if channels != self.channels or config.duration is not None:
            return None
        return open_source(config, self.device_setup, channels, offset)

    def play_target(
        self,
        config: SessionConfig,
        offset: RecordingOffset,
        opened: SessionSource,
        *,
        gain_db: float,
        loudness_lu: float,
        others: tuple[LevelDifference, ...] = (),
    ) -> None:
        """Continue with another target at the present time of the dry recording; `opened` is from `open_target`.

        The change is a crossfade. The trims for the differences in level (see `set_level_differences`) change with it.
        The estimates before are discarded. Not on the offline clock.
        """
        assert isinstance(self._driver, PortAudioDriver | TimerDriver)
        assert opened.source is not None
        before, self._opened, self._source = self._opened, opened, opened.source
        self.config, self.offset = config, offset
        self._settings = self._make_settings(config)
        self._source_position = SourcePosition(opened.loop_frames, is_live=True)
        self._notices.extend(opened.notices)
        self.level_match = replace(self.level_match, gain_db=gain_db, loudness_lu=loudness_lu, others=others)
        self._first_frame = math.inf  # until the new target is played
        self._apply_trims()
        self._driver.replace_source(opened.source, partial(_frame_at_same_time, before, opened))
        self.equalizer = None
        self.history, self._estimate_rate = self._new_history(), RateCounter()
        self._comparisons = {entry: self._new_history() for entry in config.compare}

    def simulate_xrun(self) -> None:
        """Simulate an xrun: 20 ms of silence at the outputs, counted as one xrun. Estimates are not affected."""
        self._engine.simulate_xrun()

    def seek(self, time_s: float) -> None:
        """Continue at `time_s` of the source, limited to its length; without effect after the source has ended.

        Raises `InputError` for a microphone, and before `start`.
        """
        if self._source is None or self._driver is None:
            raise InputError("cannot seek: only a running file or synthetic source can be positioned")
        frame = max(0, round(time_s * self.sample_rate))
        length = self._length_frames
        self._driver.seek(frame if length is None else min(frame, length))

    def set_estimator(self, **changes: Any) -> None:
        """Change options of the estimator by their names in `SessionConfig`, and `config` with them.

        These are processor, loss, optimizer, lr, steps, window_ms, hop_ms, align and compare. Comparisons that already
        run continue. A new optimizer resets `lr` and `steps` to its defaults. Raises `InputError`.
        """
        config = with_changes(self.config, **changes)
        self._settings = self._make_settings(config)
        self.config = config
        if config.processor != "eq":
            self.equalizer = None
        self._comparisons = {entry: self._comparisons.get(entry) or self._new_history() for entry in config.compare}
        if self._runner is not None:
            self._runner.configure(self._settings)

    def reset_estimate(self, gain_db: float = 0.0) -> None:
        """Reset the estimator to `gain_db`."""
        if self._runner is not None:
            self._runner.reset(gain_db)

    def set_frozen(self, frozen: bool) -> None:
        """Freeze the estimate, or continue estimating."""
        if self._runner is not None:
            self._runner.set_frozen(frozen)

    # --- parts ----------------------------------------------------------------------------------

    def _new_history(self, *, keep_all: bool = False) -> EstimateHistory:
        return EstimateHistory(self.sample_rate, self.channels, keep_all=keep_all)

    def _make_settings(self, config: SessionConfig) -> EstimatorSettings:
        settings = EstimatorSettings.from_config(config, self.sample_rate)
        if self.offset is not None and self.offset.is_found and settings.align:
            is_aligned = self._opened.curve is not None
            delay_frames = 0.0 if is_aligned else self.offset.delay_s * self.sample_rate - self._opened.offset_frames
            settings = replace(settings, delay_frames=delay_frames)
        return settings

    def _limit_duration(self) -> None:
        duration_s = self.config.duration
        if duration_s is None and self.clock == "offline" and self._source is not None and self._source.frames is None:
            if self.config.is_file:
                raise InputError("--loop never ends on the offline clock; give a --duration")
            duration_s = DEFAULT_SYNTHETIC_S
        if duration_s is None:
            return
        frames = round(duration_s * self.sample_rate)
        if self._source is None:
            self._limit_frame = frames
        else:
            self._source = SectionSource(self._source, 0, frames)

    @property
    def _drift_ppm(self) -> float | None:
        """Drift of the target's clock: along the curve of two recordings, otherwise as the estimates show it."""
        curve = self._opened.curve
        return self.history.drift_ppm if curve is None else curve.drift_ppm

    @property
    def _channel_counts(self) -> ChannelCounts:
        setup, config = self.device_setup, self.config
        inputs = setup.input.input_channels if setup and setup.input else 0
        dry = inputs if config.input == "mic" else self._pair_channels or self._opened.selectable_channels
        outputs = setup.output.output_channels if setup and setup.output and config.target == "return" else 0
        return ChannelCounts(dry, {"reference": 0, "channel": dry, "return": inputs}[config.target_kind], outputs)

    @property
    def _length_frames(self) -> int | None:
        """Length of the source, or of one pass of a looped file; None without an end."""
        return self._opened.loop_frames if self.total_frames is None else self.total_frames

    def _reference_gain_db(self) -> float:
        ring = self._engine.memory.audio
        try:
            if not ring.frames_written:
                return math.nan
            gain = float(ring.read_signals(ring.frames_written - 1, 1).reference_gain[0])
        except OverrunError:
            return math.nan
        return 20.0 * math.log10(max(gain, MIN_REFERENCE_GAIN)) if gain == gain else math.nan

    @property
    def _position_frame(self) -> int:
        if self._driver is None:
            return 0
        length = self._length_frames
        position = self._driver.position
        return position % length if length is not None and self.total_frames is None else position

    def _raise_faults(self) -> None:
        driver = self._driver
        if driver is None or (self.is_finished and driver.error is None):
            return
        if driver.error is not None:
            raise driver.error
        if driver.lost:
            setup = self.device_setup
            assert setup is not None, "only the device clock can lose its device"
            raise DeviceLostError(
                f"{driver.description}: stopped at {self.sample_rate} Hz (device unplugged or audio server stopped); "
                "reconnect it and start again",
                [str(device) for device in (setup.input, setup.output) if device],
            )

    def _poll(self) -> list[Estimate]:
        if self.clock != "offline" and not self.is_finished and (notice := self._clock_monitor.update(self.frames)):
            self._notices.append(notice)
        if self._runner is None:
            return []
        if self._driver is not None:
            self._source_position.update(int(self._engine.memory.control["frames"]), self._driver.position)
        if self._first_frame == math.inf:
            self._start_target(self._runner)
        new = self._runner.poll()
        self._poll_equalizers(self._runner)
        estimates = self._add(new)
        self._poll_comparisons(self._runner)
        return estimates

    def _start_target(self, runner: EstimatorRunner) -> None:
        """Let the estimator begin with a new target as soon as it is played."""
        assert isinstance(self._driver, PortAudioDriver | TimerDriver)
        if not self._driver.is_replacing:
            self._first_frame = float(self._engine.memory.control["frames"])
            self._apply_trims()
            gain_db = self.level_match.gain_db
            runner.start_target(self._settings, gain_db if math.isfinite(gain_db) else 0.0)

    def pop_equalizers(self) -> list[LearnedEqualizer]:
        """Return what has been learned since the last call, the newest 64 at most."""
        learned = list(self._learned)
        self._learned.clear()
        return learned

    def _poll_equalizers(self, runner: EstimatorRunner) -> None:
        for learned in runner.poll_equalizers():
            if self._matched is not None:
                self._matched.add_equalizer(learned)
            if self.config.processor == "eq":
                self.equalizer = learned
                self._learned.append(learned)

    def _poll_comparisons(self, runner: EstimatorRunner) -> None:
        for entry, estimate in runner.poll_comparisons():
            self._comparisons[entry].add(self._in_recordings(estimate))

    def _add(self, estimates: list[Estimate]) -> list[Estimate]:
        half_frames = self._settings.window_frames / 2  # of windows that may begin before a new target is played
        estimates = [estimate for estimate in estimates if estimate.center_frame - half_frames >= self._first_frame]
        for estimate in estimates:
            if not self.config.is_pair:
                self._follow_level(estimate)
            if self._matched is not None:
                self._matched.add_estimate(estimate, self._target_trim)
        of_recordings = [self._in_recordings(estimate) for estimate in estimates]
        for estimate in of_recordings:
            self.history.add(estimate)
        return of_recordings

    def _follow_level(self, estimate: Estimate) -> None:
        """Update the level differences of a live input, or of a reference path, to the newest estimate."""
        control = self._engine.memory.control
        loudness_lu = control["target_integrated_lufs"] - control["dry_integrated_lufs"]
        gain_db = estimate.gain_est_db if math.isfinite(estimate.gain_est_db) else self.level_match.gain_db
        self._change_level_match(gain_db=gain_db, loudness_lu=loudness_lu)

    def _change_level_match(self, **changes: Any) -> None:
        self.level_match = replace(self.level_match, **changes)
        self._apply_trims()

    def _apply_trims(self) -> None:
        match, with_flush = self.level_match, self._first_frame == math.inf  # together with a new target
        self._engine.set_trims(dry_db=match.dry_trim_db, target_db=match.target_trim_db, with_flush=with_flush)

    @property
    def _target_trim(self) -> float:
        """Trim of the target and of the matched signal, linear."""
        return float(10.0 ** (self.level_match.target_trim_db / 20.0))

    def _in_recordings(self, estimate: Estimate) -> Estimate:
        """Count the frames and delays of an estimate from the starts of the recordings.

        Where the target has another speed, a moment may agree by chance, but no gain explains the target.
        """
        if estimate.state.is_coherent and self.offset is not None and self.offset.is_stretched:
            estimate = replace(estimate, state=State.INCOHERENT)
        center_frame = estimate.center_frame + self._opened.start_frame
        source_frame = self._source_position.source_frame_at(estimate.center_frame)
        offset = self._opened.delay_frames_at(source_frame + self._opened.start_frame)
        if not (self._opened.start_frame or offset):
            return estimate
        return replace(
            estimate,
            center_frame=center_frame,
            delay_frames=estimate.delay_frames + offset,
            channel_delays_frames=tuple(delay + offset for delay in estimate.channel_delays_frames),
        )


def _frame_at_same_time(before: SessionSource, after: SessionSource, frame: int) -> int:
    """Return the frame of `after` at the time of `frame` of `before` in the dry recording; 0 where it has none."""
    assert after.source is not None
    if before.loop_frames is not None:
        frame %= before.loop_frames
    frame += before.start_frame - after.start_frame
    length = after.source.frames if after.loop_frames is None else after.loop_frames
    return frame if length is None or 0 <= frame < length else 0


def _comparison(entry: str, history: EstimateHistory) -> Comparison:
    spec, last = ComparisonSpec.parse(entry), history.last
    return Comparison(
        entry,
        spec.loss,
        spec.optimizer,
        history.latest(HISTORY_S),
        gain_db=last.gain_est_db if last else math.nan,
        state=last.state.label if last else "waiting",
    )
