"""Code of the notebook of lesson 6; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

seed = 0
RATE = 48_000
music = rtgain.demo_music(RATE, 3 * RATE)
reference_db = 20 * np.log10(0.15)

# %% step 1
block_ms = 1e3 * 256 / RATE

# %% step 2
pink = rtgain.pink_noise(RATE, 4 * RATE, seed=seed)
pair = rtgain.render_reference(pink, RATE, noise_dbfs=-46.5, seed=seed)
windows_ms = np.array([10.7, 21.3, 42.7, 85.3, 170.7, 341.3])
error_db = []
for window_ms in windows_ms:
    result = rtgain.estimate(*pair, RATE, window_ms=window_ms, hop_ms=min(window_ms, 21.3))
    single_windows_db = result.history.gain_opt_db - reference_db
    error_db.append(np.sqrt(np.nanmean(single_windows_db**2)))
short_db = error_db[1]

# %% step 2 animation
time_ms = 1e3 * np.arange(0, RATE, 48) / RATE
figure, axes = plt.subplots(figsize=(9.6, 4), dpi=100)
(sound,) = axes.plot(time_ms, music[:RATE:48], label="dry")
(window,) = axes.plot([], [], label="newest window")
(center,) = axes.plot([], [], "--", label="time of its estimate")
axes.set(xlim=(0, 400), ylim=(-0.6, 0.8), xlabel="time (ms)")
axes.legend(loc="upper right", ncols=3)
plt.close(figure)


def show(frame):
    """Show the sound that has arrived after some blocks, and the newest window."""
    now_ms = 100 + frame * 256 / 48
    sound.set_ydata(np.where(time_ms <= now_ms, music[:RATE:48], np.nan))
    end_ms = now_ms // hop_ms * hop_ms
    window.set_data([end_ms - window_ms, end_ms - window_ms, end_ms, end_ms], [-0.5, 0.5, 0.5, -0.5])
    center.set_data([end_ms - window_ms / 2] * 2, [-0.55, 0.55])


window_ms, hop_ms = 85.3, 1e3 * 1024 / RATE
rtgain.Animation(figure, (sound, window, center), show, 56)

# %% step 3
long_db = error_db[5]
slope = np.polyfit(np.log(windows_ms), np.log(error_db), 1)[0]

# %% step 3 figure windows
plt.figure(figsize=(10, 4))
plt.loglog(windows_ms, error_db, "o-", label="RMS error of single windows")
plt.xticks(windows_ms, [f"{window:.0f}" for window in windows_ms])
plt.minorticks_off()
plt.yticks([0.05, 0.1, 0.2], [0.05, 0.1, 0.2])
plt.xlabel("window length (ms)")
plt.ylabel("error (dB)")
plt.legend()
plt.show()

# %% step 4
broken = music.copy()
broken[round(1.5 * RATE) :][: RATE // 50] = 0  # rtgain writes 20 ms of silence over the output
gap_ms = 1e3 * np.sum((broken == 0) & (music != 0)) / RATE

# %% step 4 figure xrun
shown = slice(round(1.47 * RATE), round(1.55 * RATE))
plt.figure(figsize=(10, 3))
plt.plot(1e3 * np.arange(shown.start, shown.stop) / RATE, music[shown], "--", label="music")
plt.plot(1e3 * np.arange(shown.start, shown.stop) / RATE, broken[shown], label="output")
plt.xlabel("time (ms)")
plt.legend()
plt.show()

# %% step 4 sound clean
Audio(music, rate=RATE, normalize=False)

# %% step 4 sound xrun
Audio(broken, rate=RATE, normalize=False)
