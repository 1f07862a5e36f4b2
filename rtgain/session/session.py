"""A session: one source, one engine, one clock, one estimator; and what everybody sees of it."""

import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtgain import __version__
from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import GAIN
from rtgain.audio.io.driver import Driver
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.io.portaudio_driver import PortAudioDriver
from rtgain.audio.io.timer_driver import TimerDriver
from rtgain.audio.sources.excerpt import Excerpt
from rtgain.audio.sources.file_source import FileSource
from rtgain.config.automation import load_automation
from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.estimator_settings import MAX_DELAY_S, MIN_REFERENCE_GAIN, EstimatorSettings
from rtgain.config.names import DEFAULT_SYNTHETIC_S, Clock, Monitor
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import DeviceLostError, InputError
from rtgain.estimation.runner import EstimatorRunner, InProcessRunner
from rtgain.estimation.supervisor import Supervisor
from rtgain.metering.level_meter import LevelMeters
from rtgain.metering.rates import CLOCK_ADVICE, DEVICE_ADVICE, ClockRateMonitor, RateCounter
from rtgain.metering.scope_capture import capture_scope
from rtgain.number_format import none_if_nan
from rtgain.output.session_export import SessionExport
from rtgain.records.estimate import Estimate
from rtgain.records.history import Summary
from rtgain.records.snapshot import ChannelCounts, Comparison
from rtgain.records.snapshot import Snapshot as Snapshot  # part of a session's face
from rtgain.session.estimate_history import HISTORY_S, EstimateHistory
from rtgain.session.io_setup import device_setup, open_source
from rtgain.session.matched_recording import LiveMatchedReader, MatchedSignalReader, OfflineMatchedRenderer

OFFLINE_BATCH_HOPS = 64
"""Hops that the fast clock plays at a time: as many as the estimator takes at once. (Fewer where they are long: the
ring must still hold the windows, at any delay.)"""

POLL_S = 0.05
"""How often `advance` looks at a live session."""


class Session:
    """Everything between `start` and `stop`. One thread uses it; live, audio and estimator run elsewhere.

    On the fast clock nothing runs by itself: `advance` plays and estimates. `keep_whole_trace` keeps every
    estimate for a figure; else the trace takes constant memory. `record` keeps the matched signal for `read_matched`.

    Raises `InputError` for a source or an automation that cannot be used, `DeviceError` for a device.
    """

    engine_type = Engine
    """What plays."""

    def __init__(
        self, config: SessionConfig, *, clock: Clock, keep_whole_trace: bool = False, record: bool = False
    ) -> None:
        self.config = config
        self.clock: Clock = clock
        self._limit_frame: int | None = None
        self._estimation: EstimatorRunner | None = None
        self._driver: Driver | None = None
        self._notices: deque[str] = deque(maxlen=20)
        self.device_setup = device_setup(config) if clock == "device" else None
        self._source = open_source(config, self.device_setup)
        self._file = self._source if isinstance(self._source, FileSource) else None
        try:
            opened = self.device_setup or self._source
            assert opened is not None, "only a device's clock goes without a source"
            self.sample_rate = opened.sample_rate
            self._limit_duration()
            self._settings = EstimatorSettings.from_config(config, self.sample_rate)
            self._engine = self._make_engine()
        except BaseException:
            if self._source is not None:
                self._source.close()
            raise
        self.trace = EstimateHistory(self.sample_rate, whole=keep_whole_trace)
        self._comparisons = {entry: EstimateHistory(self.sample_rate) for entry in config.compare}
        self._meters = LevelMeters(self._engine.memory)
        self._matched: MatchedSignalReader | None = None
        if record:
            ring = self._engine.memory.audio
            self._matched = (
                OfflineMatchedRenderer(ring, self.sample_rate) if clock == "offline" else LiveMatchedReader(ring)
            )
        self._started_s = time.monotonic()
        self._rate = RateCounter()
        self._estimate_rate = RateCounter()
        self._speed_watch = ClockRateMonitor(self.sample_rate, DEVICE_ADVICE if clock == "device" else CLOCK_ADVICE)

    # --- running --------------------------------------------------------------------------------

    def check(self) -> None:
        """Look for what would stop the session on its way: too short a source, NaN in a file. Raises `InputError`."""
        needed = self._settings.window_frames
        if self.total_frames is not None and self.total_frames < needed:
            raise InputError(
                f"{self.config.input}: lasts {self.total_frames} frames at {self.sample_rate} Hz, less than one "
                f"analysis window of {needed}; give more sound, or a shorter --window-ms"
            )
        if self._file is not None and self.clock == "offline":
            self._file.check_finite()

    def start(self, *, wait: bool = False, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Start estimator and clock; with `wait`, the clock once the estimator is ready or it is `cancelled`."""
        self._estimation = estimation = self._make_estimation()
        estimation.start()
        if wait:
            estimation.wait_until_ready(cancelled)
        self._driver = self._make_driver()
        self._driver.start()
        self._started_s = time.monotonic()

    def advance(self) -> list[Estimate]:
        """The estimates since the last call. The fast clock plays one batch for them; live, it is waited a moment.

        Raises `InputError` when the source cannot be read on, `DeviceLostError` when the device is gone.
        """
        if isinstance(self._driver, OfflineDriver):
            settings, capacity = self._settings, self._engine.memory.audio.capacity
            kept_frames = settings.window_frames + round(MAX_DELAY_S * self.sample_rate)
            self._driver.advance(min(OFFLINE_BATCH_HOPS * settings.hop_frames, capacity - kept_frames))
        else:
            time.sleep(POLL_S)
            self._raise_faults()
        return self._poll()

    @property
    def ended(self) -> bool:
        """Whether the source, or the duration asked for, is over."""
        control = self._engine.memory.control
        limited = self._limit_frame is not None and control["frames"] >= self._limit_frame
        return bool(control["ended"]) or limited

    def finish(self) -> list[Estimate]:
        """Stop the clock and take the estimates that are left; then `stop` frees everything."""
        if self._driver is not None:
            self._driver.stop()
        if self._estimation is None:
            return []
        estimates = self._add(self._estimation.finish(self.frames))
        self._poll_comparisons(self._estimation)
        return estimates

    def stop(self) -> None:
        """Stop the clock, then the estimator, then free the memory. Idempotent."""
        if self._driver is not None:
            self._driver.stop()
        if self._estimation is not None:
            self._estimation.stop()
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

    # --- what it shows --------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Frames of sound so far, not counting silence behind the source's end."""
        control = self._engine.memory.control
        frames = int(control["end_frame"] if control["ended"] else control["frames"])
        return frames if self._limit_frame is None else min(frames, self._limit_frame)

    @property
    def total_frames(self) -> int | None:
        """Frames that the session will have; None when that is open."""
        return self._limit_frame if self._source is None else self._source.frames

    @property
    def xruns(self) -> int:
        """Blocks that were late, by the device's or the clock's word."""
        return int(self._engine.memory.control["xruns"])

    @property
    def dropped_frames(self) -> int:
        """Frames that did not reach the estimator: overwritten before, or silence because the source starved."""
        lost = self._estimation.dropped_frames if self._estimation else 0
        return lost + int(self._engine.memory.control["underrun_frames"])

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Those that race against the estimate, with what they have estimated so far."""
        return tuple(_comparison(entry, trace) for entry, trace in self._comparisons.items())

    def read_matched(self) -> list[NDArray[np.float32]]:
        """The matched signal since the last call, in pieces of shape (frames,); nothing unless it is recorded."""
        return self._matched.take(self.frames) if self._matched is not None else []

    def pop_notices(self) -> list[str]:
        """What the user should know, said once."""
        if self._estimation is not None:
            self._notices.extend(self._estimation.notices())
        said = list(self._notices)
        self._notices.clear()
        return said

    def snapshot(self, *, scope: bool = False) -> Snapshot:
        """How things stand; with `scope`, the newest sound too. Takes new estimates: do not mix it with `advance`.

        Raises as `advance` does.
        """
        self._raise_faults()
        self._poll()
        memory, estimation, driver, last = self._engine.memory, self._estimation, self._driver, self.trace.last
        control = memory.control
        if estimation is not None:
            estimation.enable_diagnostics()
        frames, length = int(control["frames"]), self._length_frames
        self._rate.update(frames)
        self._estimate_rate.update(self.trace.estimates)
        return Snapshot(
            running=driver is not None and not self.ended,
            ended=self.ended,
            clock=self.clock,
            description=driver.description if driver else "",
            channels=self._channels,
            sample_rate=self.sample_rate,
            block=driver.block if driver else 0,
            frames=frames,
            time_s=frames / self.sample_rate,
            position_s=self._position_frame / self.sample_rate,
            length_s=None if length is None else length / self.sample_rate,
            state=last.state.label if last else "waiting",
            gain_db=last.gain_est_db if last else math.nan,
            gain_linear=10.0 ** (last.gain_est_db / 20.0) if last else math.nan,
            std_db=last.std_db if last else math.nan,
            delay_ms=1e3 * last.delay_frames / self.sample_rate if last else math.nan,
            polarity=last.polarity if last else 0,
            reference_gain_db=self._reference_gain_db(),
            history=self.trace.history(HISTORY_S),
            comparisons=self.comparisons,
            curves=estimation.curves() if estimation else None,
            scope=capture_scope(memory.audio, self._settings.window_frames, self.sample_rate) if scope else None,
            levels=self._meters.levels(),
            clipped_frames=int(control["clipped_frames"]),
            xruns=self.xruns,
            dropped_frames=self.dropped_frames,
            estimator_restarts=estimation.restarts if estimation else 0,
            load=driver.load if driver else 0.0,
            frames_per_second=self._rate.per_second,
            estimates_per_second=self._estimate_rate.per_second,
            estimate_age_s=(frames - last.available_frame) / self.sample_rate if last else math.nan,
            hop_s=self._settings.hop_frames / self.sample_rate,
            notices=tuple(self.pop_notices()),
        )

    def summary(self) -> Summary:
        """The JSON's object as of now; rates are over the time since `start` returned."""
        trace, last = self.trace, self.trace.last
        elapsed_s = time.monotonic() - self._started_s
        duration_s = self.frames / self.sample_rate
        return Summary(
            version=__version__,
            input=self.config.input,
            sample_rate=self.sample_rate,
            duration_s=duration_s,
            loss=self._settings.loss,
            optimizer=self._settings.optimizer,
            gain_db=none_if_nan(last.gain_est_db) if last else None,
            gain_linear=none_if_nan(10.0 ** (last.gain_est_db / 20.0)) if last else None,
            std_db=none_if_nan(last.std_db) if last else None,
            delay_ms=none_if_nan(1e3 * last.delay_frames / self.sample_rate) if last else None,
            polarity=last.polarity if last else 0,
            state=last.state.label if last else "waiting",
            rmse_db=trace.rmse_db,
            settle_s=trace.settle_s,
            estimates=trace.estimates,
            frames=self.frames,
            dropped_frames=self.dropped_frames,
            xruns=self.xruns,
            realtime_factor=duration_s / elapsed_s,
            steps_per_second=trace.steps / elapsed_s,
        )

    def report(self, config: SessionConfig) -> SessionExport:
        """All that a session leaves behind, as of now; `config` is what it has become by what was changed live."""
        return SessionExport(config, self.sample_rate, self.trace.to_array(), self.trace.history(), self.summary())

    # --- switches, live -------------------------------------------------------------------------

    def set_reference(
        self,
        *,
        gain_db: float | None = None,
        polarity: int | None = None,
        phase_deg: float | None = None,
        delay_ms: float | None = None,
        noise_dbfs: float | None = None,
    ) -> None:
        """Change the reference path: `polarity` 1 or −1, `noise_dbfs` −inf for none; None leaves a value.

        A gain set by hand ends an automation. Raises `ValueError` outside the ranges.
        """
        if gain_db is not None:
            self._engine.set_automation(None)
        self._engine.set_reference(
            gain_db=gain_db, polarity=polarity, phase_deg=phase_deg, delay_ms=delay_ms, noise_dbfs=noise_dbfs
        )

    def set_monitor(self, monitor: Monitor) -> None:
        """Choose what is played."""
        self._engine.set_monitor(monitor)

    def simulate_xrun(self) -> None:
        """Play an xrun, to be heard and counted: 20 ms of silence. Nothing is late, and no estimate is disturbed."""
        self._engine.simulate_xrun()

    def seek(self, time_s: float) -> None:
        """Go on at that time of the source, within its length; once it has ended there is nothing to go on with.

        Raises `InputError` for a microphone.
        """
        if self._source is None or self._driver is None:
            raise InputError("only a file or a synthetic source that plays has another place to go to")
        frame = max(0, round(time_s * self.sample_rate))
        length = self._length_frames
        self._driver.seek(frame if length is None else min(frame, length))

    def set_estimator(self, **changes: Any) -> None:
        """Change options of the estimator by their names in `SessionConfig`; `config` follows.

        These are loss, optimizer, lr, steps, window_ms, hop_ms, align and race; of the race, who runs already goes
        on. A new optimizer brings its own rate and steps. Raises `InputError`.
        """
        config = with_changes(self.config, **changes)
        self._settings = EstimatorSettings.from_config(config, self.sample_rate)
        self.config = config
        self._comparisons = {
            entry: self._comparisons.get(entry) or EstimateHistory(self.sample_rate) for entry in config.compare
        }
        if self._estimation is not None:
            self._estimation.configure(self._settings)

    def reset_estimate(self, gain_db: float = 0.0) -> None:
        """Let the estimator forget everything and start again from `gain_db`."""
        if self._estimation is not None:
            self._estimation.reset(gain_db)

    def set_frozen(self, frozen: bool) -> None:
        """Freeze the estimate, or release it."""
        if self._estimation is not None:
            self._estimation.set_frozen(frozen)

    # --- parts ----------------------------------------------------------------------------------

    def _limit_duration(self) -> None:
        duration_s = self.config.duration
        if duration_s is None and self.clock == "offline" and self._source is not None and self._source.frames is None:
            if self.config.is_file:
                raise InputError("--loop on the fast clock never ends; give a --duration")
            duration_s = DEFAULT_SYNTHETIC_S
        if duration_s is None:
            return
        frames = round(duration_s * self.sample_rate)
        if self._source is None:
            self._limit_frame = frames
        else:
            self._source = Excerpt(self._source, frames)

    @property
    def _channels(self) -> ChannelCounts:
        setup, config = self.device_setup, self.config
        inputs = setup.input.input_channels if setup and setup.input else 0
        dry = inputs if config.input == "mic" else self._file.file_channels if self._file else 0
        outputs = setup.output.output_channels if setup and setup.output and config.target == "return" else 0
        return ChannelCounts(dry, {"reference": 0, "channel": dry, "return": inputs}[config.target], outputs)

    @property
    def _length_frames(self) -> int | None:
        """Of the source, or of one turn of a file that is repeated; None for what has no end."""
        endless_file = self._file is not None and self.total_frames is None
        return self._file.loop_frames if self._file is not None and endless_file else self.total_frames

    def _reference_gain_db(self) -> float:
        ring = self._engine.memory.audio
        try:
            gain = float(ring.read(ring.frames_written - 1, 1)[GAIN, 0]) if ring.frames_written else math.nan
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

    def _make_engine(self) -> Engine:
        config, setup = self.config, self.device_setup
        automation = load_automation(Path(config.automation), self.sample_rate) if config.automation else None
        engine = self.engine_type(
            self.sample_rate,
            seed=config.seed,
            target=config.target,
            in_channels=setup.in_channels if setup else 0,
            out_channels=setup.out_channels if setup else 2,
            dry_channel=config.resolved_dry_channel or 1,
            target_channel=config.resolved_target_channel or 1,
            output_channel=config.output_channel if setup else None,
        )
        engine.set_reference(
            gain_db=config.gain_db,
            polarity=-1 if config.polarity == "invert" else 1,
            phase_deg=config.phase_deg,
            delay_ms=config.delay_ms,
            noise_dbfs=-math.inf if config.noise_dbfs is None else config.noise_dbfs,
        )
        if automation is not None:
            engine.set_automation(*automation)
        engine.set_monitor(config.resolved_monitor())
        return engine

    def _make_estimation(self) -> EstimatorRunner:
        memory, settings = self._engine.memory, self._settings
        return InProcessRunner(memory, settings) if self.clock == "offline" else Supervisor(memory, settings)

    def _make_driver(self) -> Driver:
        if self.device_setup is not None:
            return PortAudioDriver(self._engine, self.device_setup, self._source, block=self.config.block or 0)
        assert self._source is not None
        driver = OfflineDriver if self.clock == "offline" else TimerDriver
        if self.config.block is None:
            return driver(self._engine, self._source)
        return driver(self._engine, self._source, self.config.block)

    def _raise_faults(self) -> None:
        driver = self._driver
        if driver is None or (self.ended and driver.error is None):
            return
        if driver.error is not None:
            raise driver.error
        if driver.lost:
            setup = self.device_setup
            assert setup is not None, "only a device can be lost"
            raise DeviceLostError(
                f"{driver.description}: stopped at {self.sample_rate} Hz; it was unplugged or its server ended",
                [str(device) for device in (setup.input, setup.output) if device],
            )

    def _poll(self) -> list[Estimate]:
        if self.clock != "offline" and not self.ended and (notice := self._speed_watch.update(self.frames)):
            self._notices.append(notice)
        if self._estimation is None:
            return []
        estimates = self._add(self._estimation.poll())
        self._poll_comparisons(self._estimation)
        return estimates

    def _poll_comparisons(self, estimation: EstimatorRunner) -> None:
        for entry, estimate in estimation.poll_comparisons():
            self._comparisons[entry].add(estimate)

    def _add(self, estimates: list[Estimate]) -> list[Estimate]:
        for estimate in estimates:
            self.trace.add(estimate)
            if self._matched is not None:
                self._matched.follow(estimate)
        return estimates


def _comparison(entry: str, trace: EstimateHistory) -> Comparison:
    spec, last = ComparisonSpec.parse(entry), trace.last
    return Comparison(
        entry,
        spec.loss,
        spec.optimizer,
        trace.history(HISTORY_S),
        gain_db=last.gain_est_db if last else math.nan,
        state=last.state.label if last else "waiting",
    )
