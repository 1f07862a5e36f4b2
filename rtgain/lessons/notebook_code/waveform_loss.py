"""Code of the notebook of lesson 2; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

RATE = 16_000
phase = np.linspace(0, 2 * np.pi * 300, RATE // 2)
dry = np.sin(phase)
targets = {degrees: 0.15 * np.sin(phase + np.deg2rad(degrees)) for degrees in (0, 45, 90, 180)}
loss = rtgain.WaveformLoss(normalize=False)  # mean |g · dry − target|

# %% step 1
histories = {
    degrees: rtgain.fit(rtgain.LinearGain(gain=1.0), dry, target, loss=loss, optimizer="SGD", lr=0.01, steps=300)
    for degrees, target in targets.items()
}
gain_45 = histories[45].final["gain"]
cos_45 = 0.15 * np.cos(np.deg2rad(45))

# The same with the live estimator: a second of a sine of 600 Hz at 48 kHz.
sine = 0.5 * np.sin(2 * np.pi * 600 * np.arange(48_000) / 48_000)
live_dry, live_target = rtgain.render_reference(sine, 48_000, phase_deg=45)  # its gain is 0.15, too
live = rtgain.estimate(
    live_dry, live_target, 48_000, loss="waveform", optimizer="SGD", lr=0.1, steps=24, align="off"
)  # fmt: skip
live_45 = 10 ** (live.history.gain_est_db[-1] / 20)
live_error_45_db = 20 * np.log10(0.15 / live_45)

# %% step 1 figure losses
gains = np.linspace(-1, 2, 151)
figure, axes = plt.subplots(2, 2, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
for panel, (degrees, target) in zip(axes.flat, targets.items(), strict=True):
    panel.plot(gains, rtgain.loss_curve(rtgain.LinearGain(), "gain", gains, dry, target, loss=loss))
    panel.plot(histories[degrees].final["gain"], histories[degrees].loss[-1], "o")
    panel.axvline(0.15, color="gray", linestyle="--")
    panel.set_title(f"{degrees}°", loc="left")
figure.supxlabel("gain")
figure.supylabel("loss")
plt.show()

# %% step 2
gain_90 = histories[90].final["gain"]
at_gain, at_zero = rtgain.loss_curve(rtgain.LinearGain(), "gain", [0.15, 0], dry, targets[90], loss=loss)
loss_ratio_90 = at_gain / at_zero
matched_90_db = 20 * np.log10(abs(gain_90) / 0.15)

# %% step 2 animation
histories[90].animate()

# %% step 2 figure waveforms
figure, axes = plt.subplots(2, figsize=(10, 5), sharex=True, layout="constrained")
for panel, degrees in zip(axes, (90, 180), strict=True):
    panel.plot(dry[:200], label="dry")
    panel.plot(histories[degrees].final["gain"] * dry[:200], label="matched")
    panel.plot(targets[degrees][:200], "--", label="target")
    panel.set_title(f"{degrees}°", loc="left")
axes[0].legend(loc="upper right")
axes[1].set_xlabel("sample")
plt.show()

# %% step 2 sound target_0
Audio(0.5 * targets[0], rate=RATE, normalize=False)

# %% step 2 sound target_90
Audio(0.5 * targets[90], rate=RATE, normalize=False)

# %% step 2 sound matched_90
Audio(0.5 * gain_90 * dry, rate=RATE, normalize=False)

# %% step 3
gain_180 = histories[180].final["gain"]

# %% step 3 sound target_180
Audio(0.5 * targets[180], rate=RATE, normalize=False)
