"""Code of the notebook of lesson 7; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

seed = 0
RATE = 48_000
dry = rtgain.pink_noise(RATE, 2 * RATE, seed=seed)
window = dry[:4096]  # the descents use as many frames as a window of the live estimator
spectral = rtgain.SpectralLoss()
hertz = np.geomspace(30, 15_000, 200)


def octaves(frequency_hz):
    """Frequency in octaves relative to 1 kHz, the unit of the parameters."""
    return np.log2(frequency_hz / 1000)


def response_db(equalizer):
    """Gain of an equalizer at `hertz` in dB."""
    return 20 * np.log10(np.abs(equalizer.filters.response(hertz, RATE)))


def residual_db(matched, target):
    """Level of the difference relative to the target (RMS)."""
    return 10 * np.log10(np.mean((target - matched) ** 2) / np.mean(target**2))


def plot_map(x, y, losses, paths):
    """Draw a loss over two parameters, dark where it is small, with paths from ring to point."""
    plt.figure(figsize=(9, 5))
    plt.contourf(x, y, losses, levels=16, cmap="Greys_r", alpha=0.7)
    plt.colorbar(label="loss")
    for name, (across, up) in paths.items():
        (line,) = plt.plot(across, up, label=name)
        plt.plot(across[0], up[0], "o", color=line.get_color(), markerfacecolor="white")
        plt.plot(across[-1], up[-1], "o", color=line.get_color())
    plt.xlim(x[0], x[-1])
    plt.ylim(y[0], y[-1])
    plt.legend()


# %% step 1
three_filters = rtgain.ParametricEQ(
    RATE, gain_db=-6.0, low_shelf_gain_db=8.0, low_shelf_octaves=octaves(150), peak_2_gain_db=-9.0,
    peak_2_octaves=octaves(800), high_shelf_gain_db=6.0, high_shelf_octaves=octaves(5000),
)  # fmt: skip
filtered = three_filters.process(dry)
one_gain_db = rtgain.estimate(dry, filtered, RATE).history.gain_est_db[-1]
one_residual_db = residual_db(10 ** (one_gain_db / 20) * dry, filtered)

# %% step 1 figure one_gain
plt.figure(figsize=(10, 3))
plt.semilogx(hertz, response_db(three_filters), label="target")
plt.axhline(one_gain_db, color="tab:orange", label="one gain")
plt.xlabel("frequency (Hz)")
plt.ylabel("gain (dB)")
plt.legend()
plt.show()

# %% step 1 sound dry
Audio(dry, rate=RATE, normalize=False)

# %% step 1 sound filtered
Audio(filtered, rate=RATE, normalize=False)

# %% step 2
learned = rtgain.ParametricEQ(RATE, gain_db=0.0)  # all gains at 0 dB
descent = rtgain.fit(learned, window, filtered[:4096], loss=spectral, optimizer="Adam", lr=0.2, steps=120)
loss_start, loss_end = descent.loss[0], descent.loss[-1]
matched = learned.process(dry)
fit_residual_db = residual_db(matched, filtered)
fit_error_db = np.sqrt(np.mean((response_db(learned) - response_db(three_filters)) ** 2))
fit_gain_db = descent.final["gain_db"]

# %% step 2 animation
figure, axes = plt.subplots(figsize=(9.6, 4), dpi=100)
(line,) = axes.semilogx(hertz, np.zeros_like(hertz), label="estimate")
axes.semilogx(hertz, response_db(three_filters), "--", label="target")
axes.set(xlabel="frequency (Hz)", ylabel="gain (dB)", ylim=(-18, 9))
axes.legend(loc="lower left")
title = axes.set_title("step", loc="left")
plt.close(figure)


def show(frame):
    """Show the response after every other step."""
    values = {name: path[2 * frame] for name, path in descent.parameters.items()}
    line.set_ydata(response_db(rtgain.ParametricEQ(RATE, **values)))
    title.set_text(f"step {2 * frame}")


rtgain.Animation(figure, (line, title), show, 61)

# %% step 2 sound matched
Audio(matched, rate=RATE, normalize=False)

# %% step 3
PEAK = ("peak_2_gain_db", "peak_2_octaves")


def free(equalizer, names):
    """Fix all parameters except `names`."""
    for name, parameter in equalizer.named_parameters():
        parameter.requires_grad_(name in names)
    return equalizer


def descend(equalizer, target):
    """60 steps of Rprop on gain and frequency of the second peak."""
    free(equalizer, PEAK)
    return rtgain.fit(equalizer, window, target[:4096], loss=spectral, optimizer="Rprop", lr=0.1, steps=60)


one_peak = rtgain.ParametricEQ(RATE, peak_2_gain_db=-9.0, peak_2_octaves=octaves(800))
peaked = one_peak.process(dry)
peak = descend(rtgain.ParametricEQ(RATE, peak_2_gain_db=-3.0, peak_2_octaves=octaves(3000)), peaked)
peak_db, peak_hz = peak.final["peak_2_gain_db"], 1000 * 2 ** peak.final["peak_2_octaves"]
no_peak = rtgain.ParametricEQ(RATE, peak_2_gain_db=0.0)
flat = np.ptp(rtgain.loss_curve(no_peak, "peak_2_octaves", [-2, 0, 2], window, peaked[:4096], loss=spectral))

# %% step 3 figure map
map_octaves = np.linspace(-3, 3, 25)


def losses_of_a_peak(gains_db, target, **others):
    """Loss at each gain and frequency of the second peak."""
    rows = []
    for gain_db in gains_db:
        equalizer = rtgain.ParametricEQ(RATE, peak_2_gain_db=gain_db, **others)
        rows.append(
            rtgain.loss_curve(equalizer, "peak_2_octaves", map_octaves, window, target[:4096], loss=spectral)
        )  # fmt: skip
    return np.array(rows)


def path_of_a_peak(history):
    """Frequency and gain of the second peak after each step."""
    return history.parameters["peak_2_octaves"], history.parameters["peak_2_gain_db"]


def plot_peak_map(gains_db, losses, paths):
    """Draw the loss over frequency and gain; the frequencies are octaves apart and labeled in Hz."""
    plot_map(map_octaves, gains_db, losses, paths)
    plt.xticks(range(-3, 4), [125, 250, 500, 1000, 2000, 4000, 8000])
    plt.xlabel("frequency (Hz)")
    plt.ylabel("gain (dB)")
    plt.show()


gains_db = np.linspace(-15, 3, 13)
plot_peak_map(gains_db, losses_of_a_peak(gains_db, peaked), {"descent": path_of_a_peak(peak)})

# %% step 4
two_peaks = rtgain.ParametricEQ(
    RATE, gain_db=-6.0, peak_1_gain_db=8.0, peak_1_octaves=octaves(300), peak_1_q=2.0, peak_4_gain_db=12.0,
    peak_4_octaves=octaves(4000), peak_4_q=2.0,
)  # fmt: skip
peaks = two_peaks.process(dry)


def narrow_peak(frequency_hz):
    """Peak of 1 dB at a frequency."""
    return rtgain.ParametricEQ(
        RATE, gain_db=-6.0, peak_2_gain_db=1.0, peak_2_octaves=octaves(frequency_hz), peak_2_q=2.0
    )  # fmt: skip


def band_levels_db(signal, centers_hz):
    """Level in thirds of an octave."""
    power = np.abs(np.fft.rfft(signal)) ** 2
    distance = np.abs(octaves(np.fft.rfftfreq(len(signal), 1 / RATE)[1:, None]) - octaves(centers_hz))
    return 10 * np.log10(power[1:] @ (distance < 1 / 6))


trapped_peak = narrow_peak(400)
trapped_path = descend(trapped_peak, peaks)
trapped_db, trapped_hz = trapped_path.final["peak_2_gain_db"], 1000 * 2 ** trapped_path.final["peak_2_octaves"]
trapped_loss, trapped = trapped_path.loss[-1], trapped_peak.process(dry)
trapped_residual_db = residual_db(trapped, peaks)

centers_hz = 1000 * 2 ** np.arange(-3, 3.1, 1 / 3)
difference_db = band_levels_db(peaks, centers_hz) - band_levels_db(trapped, centers_hz)
largest_hz = centers_hz[np.abs(difference_db).argmax()]

escaped_peak = narrow_peak(largest_hz)
escaped_path = descend(escaped_peak, peaks)
escaped_db, escaped_hz = escaped_path.final["peak_2_gain_db"], 1000 * 2 ** escaped_path.final["peak_2_octaves"]
escaped_loss, escaped = escaped_path.loss[-1], escaped_peak.process(dry)
escaped_residual_db = residual_db(escaped, peaks)

# %% step 4 figure minima
gains_db = np.linspace(-3, 15, 13)
losses = losses_of_a_peak(gains_db, peaks, gain_db=-6.0, peak_2_q=2.0)
paths = {"from 400 Hz": path_of_a_peak(trapped_path), "escaped": path_of_a_peak(escaped_path)}
plot_peak_map(gains_db, losses, paths)

# %% step 4 sound peaks
Audio(peaks, rate=RATE, normalize=False)

# %% step 4 sound trapped
Audio(trapped, rate=RATE, normalize=False)

# %% step 4 sound escaped
Audio(escaped, rate=RATE, normalize=False)

# %% step 5
BANDS = ("peak_2_gain_db", "peak_3_gain_db")


def two_bands(first_db, second_db):
    """Two peaks at a distance of a quarter of an octave."""
    return rtgain.ParametricEQ(
        RATE, peak_2_gain_db=first_db, peak_2_octaves=octaves(800), peak_2_q=0.7, peak_3_gain_db=second_db,
        peak_3_octaves=octaves(800) + 0.25, peak_3_q=0.7,
    )  # fmt: skip


def descend_bands(cost_per_db):
    """100 steps of SGD from +9 and −9 dB; the target is the dry signal."""
    equalizer = free(two_bands(9.0, -9.0), BANDS)

    def loss(estimate, target):
        cost = cost_per_db * sum(getattr(equalizer, name).abs().sum() for name in BANDS)
        return spectral(estimate, target) + cost

    history = rtgain.fit(equalizer, window, window, loss=loss, optimizer="SGD", lr=10, steps=100)
    return [history.parameters[name] for name in BANDS]


plain, prior = descend_bands(0.0), descend_bands(0.01)
plain_first_db, plain_second_db = (path[-1] for path in plain)
prior_first_db, prior_second_db = (path[-1] for path in prior)
prior_cost = 0.01 * (9 + 9)
canceled = two_bands(9.0, -9.0).process(dry)
cancel_residual_db = residual_db(canceled, dry)
cancel_loss, same_loss = rtgain.loss_curve(two_bands(9.0, 0.0), BANDS[1], [-9, 9], window, window, loss=spectral)

# %% step 5 figure valley
gains_db = np.linspace(-12, 12, 13)
losses = [
    rtgain.loss_curve(two_bands(gain_db, 0.0), BANDS[1], gains_db, window, window, loss=spectral)
    for gain_db in gains_db
]
plot_map(gains_db, gains_db, np.transpose(losses), {"without a prior": plain, "with a prior": prior})
plt.xlabel("first gain (dB)")
plt.ylabel("second gain (dB)")
plt.show()

# %% step 5 sound dry
Audio(dry, rate=RATE, normalize=False)

# %% step 5 sound canceled
Audio(canceled, rate=RATE, normalize=False)
