"""Code of the notebook of lesson 5; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

seed = 0
RATE = 48_000
music = rtgain.demo_music(RATE, 10 * RATE)
reference_db = 20 * np.log10(0.15)


def rms_error_db(result):
    """RMS error of all estimates in the state tracking."""
    errors_db = result.history.gain_est_db[result.states == "tracking"] - reference_db
    return np.sqrt(np.mean(errors_db**2))


# %% step 1
clean = rtgain.estimate(*rtgain.render_reference(music, RATE, gain_db=reference_db), RATE)
clean_db = rms_error_db(clean)
clean.plot()

# %% step 1 sound dry
Audio(music[: 4 * RATE], rate=RATE, normalize=False)

# %% step 1 sound target
Audio(0.15 * music[: 4 * RATE], rate=RATE, normalize=False)

# %% step 2
silent = clean.states == "silent"
silent_s = silent.sum() * 1024 / RATE  # a hop has 1024 frames
held_db = np.ptp(clean.history.gain_est_db[silent])

# %% step 2 figure silence
peaks = np.abs(music).reshape(-1, 480).max(axis=1)
figure, (above, below) = plt.subplots(2, figsize=(10, 5), sharex=True, layout="constrained")
above.plot(clean.history.time_s, clean.history.gain_est_db)
above.axhline(reference_db, color="gray", linestyle="--", label="reference gain")
above.set(ylabel="gain (dB)", ylim=(reference_db - 1, reference_db + 1))
above.legend()
below.plot(np.arange(len(peaks)) / 100, 0.15 * peaks)
below.axvspan(*clean.history.time_s[silent][[0, -1]], color="lightgray", label="silent")
below.set(xlabel="time (s)", ylabel="peak")
below.legend(loc="upper left")
plt.show()

# %% step 3
NOISE_DB = (30, 20, 10)


def with_noise(signal, rate, below_db):
    """Dry signal and target, with white noise `below_db` below the target (RMS)."""
    level_dbfs = 10 * np.log10(np.mean(signal.astype(float) ** 2)) + reference_db
    return rtgain.render_reference(signal, rate, gain_db=reference_db, noise_dbfs=level_dbfs - below_db, seed=seed)


pairs = {below_db: with_noise(music, RATE, below_db) for below_db in NOISE_DB}
rtgain_db = {below_db: rms_error_db(rtgain.estimate(*pair, RATE)) for below_db, pair in pairs.items()}
rtgain_30_db, rtgain_20_db, rtgain_10_db = rtgain_db.values()

# The plain loss: the gain of least loss in each half second, without the silence of the loop.
excerpts = [slice(start, start + RATE // 2) for start in range(RATE, 9 * RATE, RATE // 2)]
plain = rtgain.SpectralLoss()
plain_db = {
    below_db: [20 * np.log10(rtgain.closed_form_gain(dry[part], target[part], loss=plain) / 0.15) for part in excerpts]
    for below_db, (dry, target) in pairs.items()
}
plain_10_db = np.mean(plain_db[10])

speech = rtgain.synthetic_speech(16_000, 6 * 16_000)
speech_20_db = rms_error_db(rtgain.estimate(*with_noise(speech, 16_000, 20), 16_000))

# %% step 3 animation
loudest_bias = excerpts[int(np.argmax(plain_db[10]))]
dry, noisy = (signal[loudest_bias].astype(float) for signal in pairs[10])
search_db = np.arange(-3, 9, 0.4)
targets = [0.15 * dry + share * (noisy - 0.15 * dry) for share in np.linspace(0, 1, 20)]
curves = [
    rtgain.loss_curve(rtgain.LinearGain(), "gain", 0.15 * 10 ** (search_db / 20), dry, target, loss=plain)
    for target in targets
]
figure, axes = plt.subplots(figsize=(9.6, 4), dpi=100)
(line,) = axes.plot(search_db, curves[0], label="loss")
(point,) = axes.plot([], [], "D", label="minimum")
axes.axvline(0, color="gray", linestyle="--", label="reference gain")
axes.set(xlabel="gain relative to the reference (dB)", ylabel="loss", ylim=(0, 1.1 * np.max(curves)))
axes.legend(loc="upper center")
plt.close(figure)


def show(frame):
    """Show the loss with one of the noise levels."""
    line.set_ydata(curves[frame])
    best = np.argmin(curves[frame])
    point.set_data([search_db[best]], [curves[frame][best]])


rtgain.Animation(figure, (line, point), show, len(curves))

# %% step 3 figure noise
figure, axes = plt.subplots(figsize=(10, 4))
axes.semilogy(NOISE_DB, rtgain_db.values(), label="rtgain: masked, weighted, averaged over time")
axes.semilogy(NOISE_DB, [np.mean(errors) for errors in plain_db.values()], label="plain spectral loss")
if find_spec("auraloss"):
    search_db = np.arange(0, 1.6, 0.1)
    auraloss_db = []
    for dry, target in pairs.values():
        losses = rtgain.loss_curve(
            rtgain.LinearGain(gain=1.0), "gain", 0.15 * 10 ** (search_db / 20),
            dry[excerpts[0]], target[excerpts[0]], loss="auraloss-multi-resolution",
        )  # fmt: skip
        auraloss_db.append(abs(search_db[np.argmin(losses)]))
    axes.semilogy(NOISE_DB, auraloss_db, label="auraloss, multi-resolution, one half second")
axes.invert_xaxis()
axes.set(xlabel="target-to-noise ratio (dB)", ylabel="error (dB)")
axes.legend()
plt.show()

# %% step 3 sound noisy
Audio(pairs[10][1][: 4 * RATE], rate=RATE, normalize=False)

# %% step 3 sound speech
Audio(speech[: 4 * 16_000], rate=16_000, normalize=False)

# %% step 4 figure windows
figure, axes = plt.subplots(2, figsize=(10, 5), sharex=True, layout="constrained")
for panel, frames in zip(axes, (1024, 16_384), strict=True):
    excerpt = music[RATE - frames // 2 : RATE + frames // 2] * np.hanning(frames)
    level_db = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(excerpt)) / frames, 1e-9))
    panel.plot(np.fft.rfftfreq(frames, 1 / RATE), level_db)
    panel.set(title=f"window of {1000 * frames / RATE:.0f} ms", xlim=(0, 2000), ylim=(-115, -5), ylabel="level (dB)")
axes[1].set_xlabel("frequency (Hz)")
plt.show()
