"""Plain torch with the steps of the notebook chapter that lessons 1 to 3 grew from, written for this test.

Its steps: a sine, a gain as a module, three descents with SGD (waveform loss; target shifted in phase; spectral loss),
the loss against the gain, and the animation. It runs next to the cells of a lesson.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML, Audio, display
from matplotlib.animation import FuncAnimation
from torch import nn

sr = 16000
x = np.sin(np.linspace(0, 2 * np.pi * 300, sr // 2))
x_dry = torch.tensor(x, dtype=torch.float32)
true_gain = 0.15
y_same = true_gain * x_dry
y_shifted = true_gain * torch.tensor(np.cos(np.linspace(0, 2 * np.pi * 300, sr // 2)), dtype=torch.float32)
display(Audio(x, rate=sr), Audio(y_shifted.numpy(), rate=sr))


class LinearGain(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, signal):
        return self.gain * signal


class SpectralLoss(nn.Module):
    def __init__(self, power=1.0):
        super().__init__()
        self.power = power

    def forward(self, estimate, target):
        estimate = torch.fft.rfft(estimate).abs() ** self.power
        target = torch.fft.rfft(target).abs() ** self.power
        return torch.mean(torch.abs(estimate - target))


def train(target, loss_fn, iterations=300, lr=0.01):
    model = LinearGain()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    gains, losses = [], []
    for _ in range(iterations):
        optimizer.zero_grad()
        loss = loss_fn(model(x_dry), target)
        gains.append(model.gain.item())
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    gains.append(model.gain.item())
    return np.array(gains), np.array(losses)


l1 = nn.L1Loss()
spectral_loss = SpectralLoss()
gains_same, losses_same = train(y_same, l1)
gains_shifted, losses_shifted = train(y_shifted, l1)
gains_spectral, losses_spectral = train(y_shifted, spectral_loss)

gain_grid = np.linspace(0, 2, 100)


def curve(target, loss_fn):
    with torch.no_grad():
        return np.array([loss_fn(float(g) * x_dry, target).item() for g in gain_grid])


curve_same, curve_shifted = curve(y_same, l1), curve(y_shifted, l1)
curve_spectral = curve(y_shifted, spectral_loss)

plt.figure()
plt.plot(x[:200])
plt.plot(y_shifted[:200])
plt.show()
plt.figure()
plt.plot(gain_grid, curve_spectral)
plt.show()

fig, ax = plt.subplots()
ax.plot(gain_grid, curve_spectral)
(dot,) = ax.plot([], [], "o")


def update(iteration):
    dot.set_data([gains_spectral[iteration]], [np.interp(gains_spectral[iteration], gain_grid, curve_spectral)])
    return (dot,)


animation = FuncAnimation(fig, update, frames=range(0, 300, 30), blit=True)
html = HTML(animation.to_jshtml())
