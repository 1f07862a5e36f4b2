"""Code of the notebook of lesson 1; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

RATE = 16_000
dry = np.sin(np.linspace(0, 2 * np.pi * 300, RATE // 2))  # 300 cycles in half a second: 600 Hz
target = 0.15 * dry
loss = rtgain.WaveformLoss(normalize=False)  # mean |g · dry − target|

# %% step 1
steps, lr = 300, 0.01
history = rtgain.fit(rtgain.LinearGain(gain=1.0), dry, target, loss=loss, optimizer="SGD", lr=lr, steps=steps)
path = history.parameters["gain"]  # the gain after each step

target_db = 20 * np.log10(0.15)
gain = path[-1]
loss_start = history.loss[0]
slope = np.mean(np.abs(dry))
step = lr * slope
arrival_step = np.argmax(np.abs(path - 0.15) <= step)

# %% step 1 animation
history.animate()

# %% step 1 figure waveforms
plt.figure(figsize=(10, 3))
plt.plot(dry[:200], label="dry")
plt.plot(gain * dry[:200], label="matched")
plt.plot(target[:200], "--", label="target")
plt.xlabel("sample")
plt.legend(loc="upper right")
plt.show()

# %% step 1 figure loss
gains = np.linspace(0, 2, 100)
plt.figure(figsize=(10, 3))
plt.plot(gains, rtgain.loss_curve(rtgain.LinearGain(), "gain", gains, dry, target, loss=loss))
plt.plot(gain, history.loss[-1], "o", label="after the last step")
plt.axvline(0.15, color="gray", linestyle="--", label="reference gain")
plt.xlabel("gain")
plt.ylabel("loss")
plt.legend()
plt.show()

# %% step 1 figure gain
plt.figure(figsize=(10, 3))
plt.plot(path)
plt.axhline(0.15, color="gray", linestyle="--", label="reference gain")
plt.xlabel("step")
plt.ylabel("gain")
plt.legend()
plt.show()

# %% step 1 sound dry
Audio(0.5 * dry, rate=RATE, normalize=False)

# %% step 1 sound target
Audio(0.5 * target, rate=RATE, normalize=False)

# %% step 1 sound descent
frames = np.arange(len(path) * RATE // 100)  # 100 steps per second
gain_curve = np.interp(frames, np.arange(len(path)) * RATE / 100, path)
Audio(0.5 * gain_curve * np.sin(2 * np.pi * 600 * frames / RATE), rate=RATE, normalize=False)

# %% step 2
half = 10 ** (-6 / 20)
other = rtgain.fit(rtgain.LinearGain(gain=1.0), dry, half * dry, loss=loss, optimizer="SGD", lr=lr, steps=steps)
other.plot()

# %% step 3
larger = rtgain.fit(rtgain.LinearGain(gain=1.0), dry, target, loss=loss, optimizer="SGD", lr=0.1, steps=24)
larger.plot()
