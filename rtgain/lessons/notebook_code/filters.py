"""Code of the notebook of lesson 7; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

seed = 0
RATE = 16_000
fade = np.clip(np.arange(4 * RATE) / (0.01 * RATE), 0, 1)
dry = fade * fade[::-1] * rtgain.pink_noise(RATE, 4 * RATE, seed=seed)


def residual_db(target, gain_db):
    """Level of the difference between target and dry signal × gain, relative to the target (RMS)."""
    difference = target - 10 ** (gain_db / 20) * dry
    return 10 * np.log10(np.mean(difference**2) / np.mean(target**2))


# %% step 1
true_low_db, true_mid_db, true_high_db = -9.0, 4.0, -15.0
three_bands = rtgain.ThreeBandGain(RATE, low_db=true_low_db, mid_db=true_mid_db, high_db=true_high_db)
banded = three_bands.process(dry)
one_gain = rtgain.estimate(dry, banded, RATE, align="off")
one_bands_db = one_gain.history.gain_est_db[-1]
bands_reduction_db = -residual_db(banded, one_bands_db)

# %% step 1 sound dry
Audio(dry, rate=RATE, normalize=False)

# %% step 1 sound bands
Audio(banded, rate=RATE, normalize=False)

# %% step 2
steps = 80
start = rtgain.ThreeBandGain(RATE, low_db=0.0, mid_db=0.0, high_db=0.0)
bands = rtgain.fit(start, dry, banded, loss=rtgain.SpectralLoss(), optimizer="Rprop", lr=0.5, steps=steps)
low_db, mid_db, high_db = bands.final.values()

# %% step 2 animation
impulse = np.eye(1, RATE)[0]
hertz = np.fft.rfftfreq(RATE, 1 / RATE)


def response_db(processor):
    """Frequency response: the spectrum of the processed impulse."""
    return 20 * np.log10(np.abs(np.fft.rfft(processor.process(impulse))))


figure, axes = plt.subplots(figsize=(9.6, 4), dpi=100)
(response,) = axes.semilogx(hertz, response_db(three_bands), label="estimate")
axes.semilogx(hertz, response_db(three_bands), "--", label="target")
axes.set(xlabel="frequency (Hz)", ylabel="gain (dB)", xlim=(30, 7900), ylim=(-24, 12))
axes.legend(loc="lower left")
title = axes.set_title("step", loc="left")
plt.close(figure)


def show(frame):
    """Show the frequency response after some steps."""
    now = {name: path[frame] for name, path in bands.parameters.items()}
    response.set_ydata(response_db(rtgain.ThreeBandGain(RATE, **now)))
    title.set_text(f"step {frame}")


rtgain.Animation(figure, (response, title), show, 41)

# %% step 2 figure bands
figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout="constrained")
for panel, (name, path), true_db in zip(
    axes, bands.parameters.items(), (true_low_db, true_mid_db, true_high_db), strict=True
):
    panel.plot(path)
    panel.axhline(true_db, color="gray", linestyle="--")
    panel.set(title=name.removesuffix("_db"), xlabel="step")
axes[0].set_ylabel("gain (dB)")
plt.show()

# %% step 2 sound bands_matched
Audio(rtgain.ThreeBandGain(RATE, **bands.final).process(dry), rate=RATE, normalize=False)

# %% step 3
true_shelf_db, true_octaves = -12.0, -1.0  # octaves relative to 1 kHz
true_shelf_hz = 1000 * 2**true_octaves
shelved = rtgain.LowShelf(RATE, gain_db=true_shelf_db, corner_octaves=true_octaves).process(dry)
one_shelf_db = rtgain.estimate(dry, shelved, RATE, align="off").history.gain_est_db[-1]
shelf_residual_db = residual_db(shelved, one_shelf_db)

start = rtgain.LowShelf(RATE, gain_db=-3.0, corner_octaves=1.0)
shelf = rtgain.fit(start, dry, shelved, loss=rtgain.SpectralLoss(), optimizer="Rprop", lr=0.5, steps=steps)
shelf_db = shelf.final["gain_db"]
shelf_hz = 1000 * 2 ** shelf.final["corner_octaves"]

# %% step 3 figure shelf
shelf.plot()

# %% step 3 sound shelf
Audio(shelved, rate=RATE, normalize=False)

# %% step 4
octaves = np.linspace(-5, 2, 71)
losses = rtgain.loss_curve(
    rtgain.LowShelf(RATE, gain_db=true_shelf_db), "corner_octaves", octaves, dry, shelved, loss=rtgain.SpectralLoss()
)  # fmt: skip
slopes = np.abs(np.gradient(losses, octaves))
slope_ratio = slopes[octaves < -1].max() / slopes[0]

half_way = 0.5 * (losses[0] + np.interp(-1, octaves, losses))  # the straight line between 31 and 500 Hz
convexity_excess_percent = 100 * (np.interp(-3, octaves, losses) - half_way) / losses.max()

no_shelf = rtgain.LowShelf(RATE, gain_db=0.0)
flat = np.ptp(rtgain.loss_curve(no_shelf, "corner_octaves", [-4, -1, 2], dry, shelved, loss=rtgain.SpectralLoss()))

# %% step 4 figure valley
plt.figure(figsize=(10, 4))
plt.plot(octaves, losses)
plt.axvline(true_octaves, color="gray", linestyle="--", label="reference corner")
plt.xlabel("corner (octaves re 1 kHz), at the reference gain")
plt.ylabel("loss")
plt.legend()
plt.show()

# %% step 4 sound shelf_matched
Audio(rtgain.LowShelf(RATE, **shelf.final).process(dry), rate=RATE, normalize=False)
