"""Estimator: turns aligned windows into estimates, without threads, clocks or shared memory.

Each batch of windows passes through five steps: transform, noise estimation, descent of the loss, tracking over time,
classification of the state. Windows come in order. Live batches of one window and offline batches of many give the same
estimates, up to the descent's tolerance (0.004 dB; 0.015 dB at a step of 20 dB).
"""

import math

import numpy as np
import torch

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.dsp.delay_estimation import CrossSpectrum
from rtgain.dsp.noise_estimation import POLARITY_COSINE
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.estimation.delay_tracker import ALIGNED, Alignment
from rtgain.estimation.descent import Descent, descend, descend_stock
from rtgain.estimation.gain_tracker import FLOOR_STD_DB, SHIFTED_FLOOR_STD_DB, GainMeasurement, GainTracker
from rtgain.estimation.window_features import FeatureExtractor, WindowFeatures, Windows
from rtgain.records.estimate import Estimate, State

TRACKING_STD_DB = 0.25
"""Standard deviation in dB above which an estimate is still converging."""

INCOHERENT_AFTER_S = 0.5
"""Duration in seconds of windows without a significant band after which the signals are incoherent."""

USELESS_LOSS = 0.9
"""Loss at the best gain above which no gain is useful (waveform loss, phase rotated by 90°)."""

POLARITY_MEMORY = 0.9
"""Weight of the previous value in the running cosine of the phase."""


class Estimator:
    """Estimator of a gain from window to window. `settings` may be replaced between batches."""

    def __init__(self, settings: EstimatorSettings) -> None:
        self.settings = settings
        self.frozen = False
        self.tracker = GainTracker()
        self.extractor = FeatureExtractor()
        self._cosine = 0.0
        self._uninformative_s = 0.0
        self._state = State.WAITING

    def warm_up(self) -> None:
        """Make torch load its lazily loaded parts (a second), so that the first estimate is not late."""
        noise = np.random.default_rng(0).standard_normal((1, self.settings.window_frames)).astype(np.float32)
        zero = np.zeros(1)
        Estimator(self.settings).estimate(Windows(noise, noise, zero, zero, zero))

    def reset(self, gain_db: float = 0.0) -> None:
        """Reset gain, polarity and state; the next descent starts from `gain_db`."""
        self.tracker = GainTracker(gain_db=gain_db)
        self._cosine = 0.0
        self._uninformative_s = 0.0
        self._state = State.WAITING

    def resume(self, last: Estimate) -> None:
        """Resume from the last estimate of another estimator."""
        if math.isfinite(last.gain_est_db):
            self.tracker = GainTracker(gain_db=last.gain_est_db, std_db=last.std_db)
        self._cosine = float(last.polarity)
        self._state = last.state

    def estimate(
        self, windows: Windows, alignment: Alignment = ALIGNED, cross: CrossSpectrum | None = None
    ) -> list[Estimate]:
        """Make one estimate per window, in order; `cross` collects the spectra for the next delay measurement.

        The descents of a batch start together from the present gain. If one of them has not settled, all are repeated
        one by one, each from the result of the one before. A batch thus changes a result by its tolerance at most.
        """
        features, gate_states = self.extractor.extract(windows, alignment, self.settings, cross)
        batch_descent = self._descend(features)
        uninformative = features.noise.std_log.isinf()
        use_batch = len(gate_states) == 1 or (
            not self.settings.stock_optimizer and bool((batch_descent.settled | uninformative).all())
        )
        optima_db, least_squares_db = (
            torch.where(uninformative, math.nan, DB_PER_NEPER * (log_gain + features.level_ratio_log).double()).tolist()
            for log_gain in (features.optimum_log, features.least_squares_log)
        )
        bound_db = torch.where(uninformative, math.nan, features.bound_db).tolist()
        std_db = (DB_PER_NEPER * features.noise.std_log.double()).tolist()
        phase_cosine, level_ratio_log = features.noise.phase_cosine.tolist(), features.level_ratio_log.tolist()
        lag_hops, spread_hops = features.lag_hops.tolist(), features.spread_hops.tolist()
        floor_std_db = SHIFTED_FLOOR_STD_DB if alignment.needs_shift else FLOOR_STD_DB
        estimates = []
        for index, gate_state in enumerate(gate_states):
            descent = batch_descent.at(index) if use_batch else self._descend(features.at(index))
            if not self.frozen:
                gain_db = DB_PER_NEPER * (float(descent.log_gain) + level_ratio_log[index])
                measurement = GainMeasurement(gain_db, std_db[index], lag_hops[index], spread_hops[index], floor_std_db)
                self._track(measurement, phase_cosine[index], alignment)
                self._state = gate_state or self._classify_state(descent, alignment, features, index)
            estimates.append(
                Estimate(
                    center_frame=float(windows.center_frames[index]),
                    available_frame=float(windows.available_frames[index]),
                    gain_true_db=float(windows.gain_true_db[index]),
                    gain_est_db=self.tracker.gain_db if math.isfinite(self.tracker.std_db) else math.nan,
                    gain_opt_db=optima_db[index],
                    opt_std_db=std_db[index],
                    least_squares_db=least_squares_db[index],
                    bound_db=bound_db[index],
                    std_db=self.tracker.std_db,
                    loss=math.nan if gate_state else float(descent.loss),
                    state=self._state,
                    steps=int(descent.steps),
                    delay_frames=alignment.delay_frames if alignment.is_known else math.nan,
                    polarity=self.polarity,
                )
            )
        return estimates

    @property
    def polarity(self) -> int:
        """1 or −1, or 0 if the phase between dry and target does not determine it."""
        return 0 if abs(self._cosine) < POLARITY_COSINE else int(math.copysign(1, self._cosine))

    @property
    def gain(self) -> float:
        """The present estimate, linear and signed; NaN while unknown."""
        if not math.isfinite(self.tracker.std_db):
            return math.nan
        return math.copysign(10.0 ** (self.tracker.gain_db / 20.0), self.polarity)

    def _descend(self, features: WindowFeatures) -> Descent:
        start_log = self.tracker.gain_db / DB_PER_NEPER - features.level_ratio_log
        loss_inputs = features.loss, features.dry, features.target, features.weights
        optimizer, schedule = self.settings.optimizer, self.settings.schedule
        if self.settings.stock_optimizer:
            return descend_stock(*loss_inputs, start_log, features.optimum_log, optimizer=optimizer, schedule=schedule)
        return descend(
            *loss_inputs, features.noise, start_log, features.optimum_log, optimizer=optimizer, schedule=schedule
        )

    def _track(self, measurement: GainMeasurement, phase_cosine: float, alignment: Alignment) -> None:
        informative = math.isfinite(measurement.std_db)
        if not self.settings.stock_optimizer:
            self.tracker.update(measurement)
        elif informative:
            self.tracker = GainTracker(measurement.gain_db, measurement.std_db)
        if not informative:
            self._uninformative_s += self.settings.hop_frames / self.settings.sample_rate
            return
        self._uninformative_s = 0.0
        if alignment.is_known:
            weight = 1.0 - POLARITY_MEMORY if self._cosine else 1.0
            self._cosine += weight * (phase_cosine - self._cosine)

    def _classify_state(self, descent: Descent, alignment: Alignment, features: WindowFeatures, index: int) -> State:
        no_useful_gain = float(descent.loss) > USELESS_LOSS and float(features.at(index).least_loss) > USELESS_LOSS
        if self._uninformative_s >= INCOHERENT_AFTER_S or alignment.not_found or no_useful_gain:
            return State.INCOHERENT
        in_doubt = self.tracker.outliers > 0 or self.tracker.std_db > TRACKING_STD_DB
        if in_doubt or not descent.settled or not alignment.is_known:
            return State.CONVERGING
        return State.TRACKING
