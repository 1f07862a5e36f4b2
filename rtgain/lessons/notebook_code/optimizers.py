"""Code of the notebook of lesson 4; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

seed = 0
RATE = 16_000
phase = np.linspace(0, 2 * np.pi * 300, RATE // 2)
dry, target = np.sin(phase), 0.15 * np.cos(phase)
spectral = rtgain.SpectralLoss(window=False, normalize=False)

SGD, ADAM, RPROP = "spectral/SGD@0.3", "spectral/Adam@0.3", "spectral/Rprop@0.3"
sine = 0.5 * np.sin(2 * np.pi * 600 * np.arange(3 * 48_000) / 48_000)


def last_second_db(comparison):
    """Gains of a comparison in the last second of the sound."""
    history = comparison.history
    return history.gain_est_db[history.time_s > history.time_s[-1] - 1]


# %% step 1
steps = 300
runs = {
    name: rtgain.fit(rtgain.LinearGain(gain=1.0), dry, target, loss=spectral, optimizer=name, lr=lr, steps=steps)
    for name, lr in (("SGD", 0.01), ("Adam", 0.02), ("Rprop", 0.1))
}
paths = {name: run.parameters["gain"] for name, run in runs.items()}
error_db = {name: 20 * np.log10(path[-100:] / 0.15) for name, path in paths.items()}
cycle_low_db, cycle_high_db = error_db["SGD"].min(), error_db["SGD"].max()
step_db = 0.3 * 20 / np.log(10)

# The same with the live estimator: three seconds of a sine of 600 Hz at 48 kHz.
live_pair = rtgain.render_reference(sine, 48_000)
slow = rtgain.estimate(*live_pair, 48_000, align="off", optimizer="SGD", lr=0.01, steps=1, compare=(SGD, ADAM))
live_error_db = slow.history.gain_est_db - 20 * np.log10(0.15)
arrive_s = slow.history.time_s[np.abs(live_error_db) >= 0.1].max()
sgd_db = last_second_db(slow.comparisons[SGD])
sgd_low_db, sgd_high_db = sgd_db.min(), sgd_db.max()
sgd_swing_db = sgd_high_db - sgd_low_db

# %% step 1 animation
gains = np.linspace(0.1, 0.2, 101)
losses = rtgain.loss_curve(rtgain.LinearGain(), "gain", gains, dry, target, loss=spectral)
figure, axes = plt.subplots(figsize=(9.6, 4), dpi=100)
axes.plot(gains, losses)
(point,) = axes.plot([], [], "o")
axes.set(xlabel="gain", ylabel="loss")
title = axes.set_title("step", loc="left")
plt.close(figure)


def show(frame):
    """Show one of the last 75 steps."""
    index = steps - 74 + frame
    point.set_data([paths["SGD"][index]], [np.interp(paths["SGD"][index], gains, losses)])
    title.set_text(f"step {index}")


rtgain.Animation(figure, (point, title), show, 75)

# %% step 1 figure optimizers
figure, axes = plt.subplots(2, 3, figsize=(10, 5), sharey="row", layout="constrained")
for above, below, (name, path) in zip(*axes, paths.items(), strict=True):
    above.plot(path)
    above.axhline(0.15, color="gray", linestyle="--")
    above.set(title=name, xlabel="step")
    below.plot(error_db[name])
    below.set_xlabel("last 100 steps")
axes[0, 0].set_ylabel("gain")
axes[1, 0].set_ylabel("error (dB)")
plt.show()

# %% step 1 sound target
Audio(0.5 * target, rate=RATE, normalize=False)

# %% step 1 sound cycle_low
Audio(0.5 * paths["SGD"][-100:].min() * dry, rate=RATE, normalize=False)

# %% step 2
adam_swing_db = np.ptp(last_second_db(slow.comparisons[ADAM]))
adam_db = np.abs(error_db["Adam"]).max()

# %% step 3
best = rtgain.closed_form_gain(dry, target, loss=spectral)
rprop_db = abs(20 * np.log10(paths["Rprop"][60] / best))
closed_db = 20 * np.log10(best / 0.15)

# %% step 4
quiet_pair = rtgain.render_reference(sine[:24_000], 48_000, gain_db=-56.478175)
diverged = rtgain.estimate(*quiet_pair, 48_000, align="off", optimizer="Rprop", compare=("spectral/SGD@0.01", SGD))
diverged_db = diverged.comparisons[SGD].gain_db


def descend(loss, lr, level):
    """SGD with both signals at `level`: the gain after each step."""
    history = rtgain.fit(
        rtgain.LinearGain(gain=1.0), level * dry, level * target, loss=loss, optimizer="SGD", lr=lr, steps=steps
    )  # fmt: skip
    return history.parameters["gain"]


quiet = 10 ** (-40 / 20)
normalized = rtgain.SpectralLoss(window=False)
descents = {
    "plain loss": descend(spectral, 0.01, 1),
    "plain loss, 40 dB quieter": descend(spectral, 0.01, quiet),
    "normalized loss": descend(normalized, 0.001, 1),
    "normalized loss, 40 dB quieter": descend(normalized, 0.001, quiet),
}
quiet_gain = descents["plain loss, 40 dB quieter"][-1]
normalized_gap = np.abs(descents["normalized loss"] - descents["normalized loss, 40 dB quieter"]).max()

noise = np.random.default_rng(seed).standard_normal(65_536)
slope_1024 = np.abs(np.fft.rfft(noise[:1024])).mean()
slope_65536 = np.abs(np.fft.rfft(noise)).mean()

# %% step 4 figure levels
figure, axes = plt.subplots(2, 2, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
for panel, (name, path) in zip(axes.flat, descents.items(), strict=True):
    panel.plot(path)
    panel.axhline(0.15, color="gray", linestyle="--")
    panel.set_title(name, loc="left")
figure.supxlabel("step")
figure.supylabel("gain")
plt.show()
