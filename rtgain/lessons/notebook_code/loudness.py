"""Code of the notebook of lesson 8; each ``# %%`` begins a cell (`rtgain.lessons.notebook`)."""

# %% setup
from math import comb

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import rtgain

seed = 0
RATE = 48_000
music = rtgain.demo_music(RATE, 4 * RATE).astype(float)
noise = rtgain.pink_noise(RATE, 4 * RATE, seed=seed)


def factor(gain_db):
    """Linear gain."""
    return 10 ** (gain_db / 20)


def probabilities(trials, share_right=0.5):
    """Probability of each score from 0 to `trials`."""
    right = np.arange(trials + 1)
    ways = np.array([comb(trials, count) for count in right])
    return ways * share_right**right * (1 - share_right) ** (trials - right)


# %% step 1
guess_8_percent = 100 * probabilities(8)[8]
guess_7_percent = 100 * probabilities(8)[7:].sum()
guess_6_percent = 100 * probabilities(8)[6:].sum()
half_7_percent = 100 * probabilities(8, 0.75)[7:].sum()
half_12_percent = 100 * probabilities(16, 0.75)[12:].sum()

my_score = 7  # your score in the window
print(f"A guess gets {my_score} or more of 8 right in {100 * probabilities(8)[my_score:].sum():.1f} % of cases.")

# %% step 1 animation
figure, axes = plt.subplots(figsize=(9.6, 4), dpi=100)
(guess,) = axes.plot([], [], "o--", label="guesses")
(listener,) = axes.plot([], [], "o-", label="heard in every second trial")
axes.set(xlabel="right answers", ylabel="probability", xlim=(-0.5, 16.5), ylim=(0, 1))
axes.legend()
title = axes.set_title("trials: 1", loc="left")
plt.close(figure)


def show(frame):
    """Show the scores after one trial more."""
    trials = frame + 1
    guess.set_data(np.arange(trials + 1), probabilities(trials))
    listener.set_data(np.arange(trials + 1), probabilities(trials, 0.75))
    title.set_text(f"trials: {trials}")


rtgain.Animation(figure, (guess, listener, title), show, 16)

# %% step 1 figure scores
plt.figure(figsize=(10, 3))
plt.plot(probabilities(8), "o--", label="guesses")
plt.plot(probabilities(8, 0.75), "o-", label="heard in every second trial")
plt.xlabel("right answers")
plt.ylabel("probability")
plt.legend()
plt.show()

# %% step 1 sound dry
Audio(music, rate=RATE, normalize=False)

# %% step 1 sound louder_2
Audio(factor(2) * music, rate=RATE, normalize=False)

# %% step 2
factor_1 = factor(1)

# %% step 2 sound louder_1
Audio(factor_1 * music, rate=RATE, normalize=False)

# %% step 3
factor_05 = factor(0.5)

# %% step 3 sound louder_05
Audio(factor_05 * music, rate=RATE, normalize=False)

# %% step 4
percent_01 = 100 * (factor(0.1) - 1)


def remaining_after_match_db(gain_db):
    """Difference in level that a match by gain leaves, after the estimate has settled."""
    dry, louder = rtgain.render_reference(music, RATE, gain_db=gain_db)
    estimates_db = rtgain.estimate(dry, louder, RATE).history.gain_est_db
    return np.abs(estimates_db[len(estimates_db) // 2 :] - gain_db).max()


remaining_2_db = remaining_after_match_db(2)

# %% step 5
remaining_1_db = remaining_after_match_db(1)

# %% step 6
remaining_05_db = remaining_after_match_db(0.5)
below_7 = probabilities(8)[:7].sum()
three_7_percent = 100 * (1 - below_7**3)

my_scores = {"2 dB": (7, 4), "1 dB": (5, 3), "0.5 dB": (4, 5)}  # yours: without and with the level match
print("In brackets: in how many cases guesses do as well.")
for level, scores in my_scores.items():
    guesses = [100 * probabilities(8)[score:].sum() for score in scores]
    print(f"{level}: without the match {scores[0]} of 8 ({guesses[0]:.0f} %), with it {scores[1]} ({guesses[1]:.0f} %)")

# %% step 7
low_shelf = rtgain.ParametricEQ(
    RATE, gain_db=0.0, low_shelf_gain_db=6.0, low_shelf_octaves=0.0, low_shelf_q=0.5**0.5
)  # fmt: skip
shelved = low_shelf.process(noise)
shelf_db = rtgain.estimate(noise, shelved, RATE).history.gain_est_db[-1]


def louder_by_lu(dry, target):
    """Loudness of the target relative to that of the dry signal."""
    result = rtgain.match(dry, target, RATE).result
    return result.lufs_target - result.lufs_dry


shelf_lu = louder_by_lu(noise, shelved)
music_lu = louder_by_lu(*rtgain.render_reference(music, RATE, gain_db=2.0))
rtgain.match(noise, shelved, RATE)

# %% step 7 figure shelf
hertz = np.geomspace(30, 15_000, 200)
plt.figure(figsize=(10, 3))
plt.semilogx(hertz, 20 * np.log10(np.abs(low_shelf.filters.response(hertz, RATE))), label="target")
plt.axhline(shelf_db, color="tab:orange", label="estimate")
plt.xlabel("frequency (Hz)")
plt.ylabel("gain (dB)")
plt.legend()
plt.show()

# %% step 7 sound noise
Audio(noise, rate=RATE, normalize=False)

# %% step 7 sound shelved
Audio(shelved, rate=RATE, normalize=False)

# %% step 8
shelved_matched = factor(-shelf_lu) * shelved
matched_lu = abs(louder_by_lu(noise, shelved_matched))

# %% step 8 sound shelved_matched
Audio(shelved_matched, rate=RATE, normalize=False)
