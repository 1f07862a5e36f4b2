"""Code of the notebook of lesson 3; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

RATE = 16_000
phase = np.linspace(0, 2 * np.pi * 300, RATE // 2)
dry, target = np.sin(phase), 0.15 * np.cos(phase)  # a cosine is a sine that is shifted by 90°
waveform = rtgain.WaveformLoss(normalize=False)
spectral = rtgain.SpectralLoss(window=False, normalize=False)  # mean | |rfft(g · dry)| − |rfft(target)| |
squared = rtgain.SpectralLoss(2, window=False, normalize=False)

# %% step 1
history = rtgain.fit(rtgain.LinearGain(gain=1.0), dry, target, loss=spectral, optimizer="SGD", lr=0.01, steps=300)
gain_90 = history.final["gain"]
minimum = rtgain.closed_form_gain(dry, target, loss=spectral)
matched_90_db = 20 * np.log10(gain_90 / 0.15)

# %% step 1 animation
history.animate()

# %% step 1 figure loss
gains = np.linspace(0, 2, 100)
figure, axes = plt.subplots(1, 2, figsize=(10, 3), sharey=True, layout="constrained")
for panel, (title, loss) in zip(axes, {"waveform": waveform, "spectral": spectral}.items(), strict=True):
    losses = rtgain.loss_curve(rtgain.LinearGain(), "gain", gains, dry, target, loss=loss)
    best = rtgain.closed_form_gain(dry, target, loss=loss)
    panel.plot(gains, losses / losses.max())
    panel.plot(best, np.interp(best, gains, losses / losses.max()), "D", label="closed form")
    panel.axvline(0.15, color="gray", linestyle="--", label="reference gain")
    panel.set_title(title, loc="left")
    panel.set_xlabel("gain")
axes[0].set_ylabel("loss")
axes[0].legend()
plt.show()

# %% step 1 figure gain
plt.figure(figsize=(10, 3))
plt.plot(history.parameters["gain"])
plt.axhline(0.15, color="gray", linestyle="--", label="reference gain")
plt.xlabel("step")
plt.ylabel("gain")
plt.legend()
plt.show()

# %% step 1 figure spectra
hertz = np.fft.rfftfreq(len(dry), 1 / RATE)
plt.figure(figsize=(10, 3))
for name, signal, style in (("dry", dry, "-"), ("matched", gain_90 * dry, "-"), ("target", target, "--")):
    plt.semilogy(hertz, np.abs(np.fft.rfft(signal)), style, label=name)
plt.xlim(560, 640)
plt.ylim(1, 1e4)
plt.xlabel("frequency (Hz)")
plt.ylabel("magnitude")
plt.legend()
plt.show()

# %% step 1 sound target_90
Audio(0.5 * target, rate=RATE, normalize=False)

# %% step 1 sound matched_90
Audio(0.5 * gain_90 * dry, rate=RATE, normalize=False)

# %% step 2
plus, minus = rtgain.loss_curve(rtgain.LinearGain(gain=1.0), "gain", [0.15, -0.15], dry, target, loss=spectral)
sign_gap = plus - minus

# %% step 2 figure powers
gains = np.linspace(-1, 2, 151)
figure, axes = plt.subplots(1, 2, figsize=(10, 3), sharey=True, layout="constrained")
for panel, (power, loss) in zip(axes, {1: spectral, 2: squared}.items(), strict=True):
    losses = rtgain.loss_curve(rtgain.LinearGain(), "gain", gains, dry, target, loss=loss)
    panel.plot(gains, losses / losses.max())
    panel.axvline(0.15, color="gray", linestyle="--")
    panel.set_title(f"power {power}", loc="left")
    panel.set_xlabel("gain")
axes[0].set_ylabel("loss")
plt.show()

# %% step 3
power_2_minimum = rtgain.closed_form_gain(dry, target, loss=squared)
one_step = rtgain.fit(rtgain.LinearGain(gain=1.0), dry, target, loss=squared, optimizer="SGD", lr=0.01, steps=1)
power_2_first = one_step.final["gain"]
power_2_slope = (1 - power_2_first) / 0.01


def slope_at_one(power):
    """Slope of the normalized loss over the logarithm of the gain, at a gain of one."""
    normalized = rtgain.SpectralLoss(power)
    near_one = np.exp([-1e-6, 1e-6])
    below, above = rtgain.loss_curve(
        rtgain.LinearGain(gain=1.0), "gain", near_one, dry, 0.15 * dry, loss=normalized
    )  # fmt: skip
    return (above - below) / 2e-6


slope_1, slope_2 = slope_at_one(1), slope_at_one(2)
slope_ratio = slope_2 / slope_1

# The same with the live estimator: a second of a sine of 600 Hz at 48 kHz, and two comparisons.
sine = 0.5 * np.sin(2 * np.pi * 600 * np.arange(48_000) / 48_000)
live = rtgain.estimate(
    *rtgain.render_reference(sine, 48_000), 48_000, loss="spectral-power", optimizer="Rprop", align="off",
    compare=("spectral/SGD@0.1", "spectral-power/SGD@0.1"),
)  # fmt: skip
diverged_db = live.comparisons["spectral-power/SGD@0.1"].gain_db

# %% step 4
music = rtgain.demo_music(48_000, 6 * 48_000)
reference_db = 20 * np.log10(0.15)
delayed_music = rtgain.render_reference(music, 48_000, delay_ms=5)
options = {"optimizer": "SGD", "lr": 0.1, "steps": 24}
delayed = rtgain.estimate(*delayed_music, 48_000, align="off", **options)
delayed_db = np.sqrt(np.mean((delayed.history.gain_est_db - reference_db) ** 2))
delayed.plot()

# %% step 5
aligned = rtgain.estimate(*delayed_music, 48_000, align="on", **options)
error_db = aligned.history.gain_est_db - reference_db
arrival_s = aligned.history.time_s[np.abs(error_db) >= 0.1].max()
aligned.plot()
