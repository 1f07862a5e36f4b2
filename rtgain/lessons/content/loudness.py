"""Lesson 8: louder sounds better."""

from rtgain.lessons.checks import BlindTestEnds, InRange, NumericCheck
from rtgain.lessons.content.filters import LOW_SHELF
from rtgain.lessons.lesson import Lesson, Step

TRIALS = 8
BLIND_TEST = BlindTestEnds(TRIALS)
SHELVED_NOISE = {"input": "pink", "gain_db": 0.0, "equalizer": LOW_SHELF}
SAME_GAIN = InRange("gain_db", -0.05, 0.05)
MATCHED = InRange("remaining_gain_db", -0.1, 0.1)

LESSON = Lesson(
    name="loudness",
    number=8,
    title="Louder sounds better",
    summary="A difference in level is easily taken for a difference in quality, so it is removed before a comparison.",
    steps=(
        Step(
            title="2 dB, blind",
            text=(
                "The target is the dry music, 2 dB louder. Nothing else differs. “ABX test” opens a blind test of 8 "
                "trials. A is dry, B is the target, and X is one of the two, drawn at random for each trial. Listen to "
                "A, B and X as often as you like, then say which one X is. The step passes with every score: a "
                "difference that you do not hear is a result, too."
            ),
            watch="your score, at the bottom of this panel after the test.",
            listen="Dry (1) and Target (2). Which one sounds better? Then begin the test.",
            controls={"input": "demo", "gain_db": 2.0},
            expectations=(InRange("remaining_gain_db", 1.95, 2.05), BLIND_TEST),
            checks=(
                NumericCheck(
                    "guess_8_percent", 0.3, 0.5, "A guess gets 8 of 8 right in {guess_8_percent:.1f} % of cases."
                ),
                NumericCheck(
                    "guess_7_percent",
                    3.0,
                    4.0,
                    "A guess gets 7 or more of 8 right in {guess_7_percent:.1f} % of cases.",
                ),
                NumericCheck(
                    "guess_6_percent",
                    14.0,
                    15.0,
                    "A guess gets 6 or more of 8 right in {guess_6_percent:.0f} % of cases.",
                ),
            ),
            why=(
                "A listener who knows which signal plays tends to hear the expected difference. In a blind test the "
                "only information is the sound. Guessing alone gets 4 of 8 right on average, so a score counts only if "
                "guesses rarely reach it. All 8 have a probability of {guess_8_percent:.1f} %, 7 or more "
                "{guess_7_percent:.1f} %, 6 or more {guess_6_percent:.0f} %. Below 5 % the difference is usually taken "
                "as heard.\n\nA low score does not prove that there is no difference. Take a listener who hears it in "
                "every second trial and guesses in the others. The average score is then 75 % right. The listener "
                "reaches 7 of 8 in only {half_7_percent:.0f} % of tests. With 16 trials, 12 right are needed, and "
                "{half_12_percent:.0f} % of tests reach them."
            ),
            figures={
                "scores": (
                    "The probability of each score in 8 trials: for guesses, and for a listener who hears the "
                    "difference in every second trial."
                ),
            },
            sounds={"dry": "The dry music.", "louder_2": "2 dB louder."},
            animation="The scores of the same two listeners, from 1 to 16 trials: the curves slowly separate.",
            duration_s=3.0,
        ),
        Step(
            title="1 dB, blind",
            text=(
                "The target is now 1 dB louder, a factor of {factor_1:.2f}. Before the test, listen to both and write "
                "down in words what differs. Did you write “clearer”, “fuller” or “closer”? Nothing but the level has "
                "changed."
            ),
            watch="your score. Compare it with the one at 2 dB; the last page of the test lists both.",
            listen="Dry (1) and Target (2), then the test.",
            controls={"input": "demo", "gain_db": 1.0},
            expectations=(InRange("remaining_gain_db", 0.95, 1.05), BLIND_TEST),
            checks=(NumericCheck("factor_1", 1.12, 1.13, "A gain of 1 dB is a factor of {factor_1:.3f}."),),
            why=(
                "A comparison of two devices, plug-ins or formats often contains an unintended difference of this "
                "size. The louder one then seems to be the better one. This is why a test without a level match says "
                "little about quality."
            ),
            sounds={"louder_1": "1 dB louder."},
            duration_s=3.0,
        ),
        Step(
            title="0.5 dB, blind",
            text=(
                "The target is 0.5 dB louder, a factor of {factor_05:.2f}. Short excerpts and quick changes make the "
                "difference easier to hear. Your score is valid for you, this music and these loudspeakers or "
                "headphones."
            ),
            watch="your score, and its probability for guesses.",
            listen="Dry (1) and Target (2). Steady passages are easier than changing ones.",
            controls={"input": "demo", "gain_db": 0.5},
            expectations=(InRange("remaining_gain_db", 0.45, 0.55), BLIND_TEST),
            checks=(NumericCheck("factor_05", 1.05, 1.07, "A gain of 0.5 dB is a factor of {factor_05:.3f}."),),
            sounds={"louder_05": "0.5 dB louder."},
            duration_s=3.0,
        ),
        Step(
            title="2 dB, level matched",
            text=(
                "The target is 2 dB louder again, but “Level match” is set to “By gain”. rtgain estimates the gain and "
                "turns the louder signal down by it. What remains is below 0.1 dB, the limit that is customary in "
                "listening tests. A, B and X now sound the same, so every answer is a guess. Take the test all the "
                "same: its score shows what guessing looks like."
            ),
            watch="“Level match” at the top right, and the first page of the test: it states what remains.",
            listen="Dry (1) and Target (2): they sound the same. Does one of them still seem better?",
            controls={"input": "demo", "gain_db": 2.0, "level_match": "estimate"},
            expectations=(MATCHED, BLIND_TEST),
            checks=(
                NumericCheck("remaining_2_db", 0.0, 0.01, "After the level match, {remaining_2_db:.3f} dB remain."),
                NumericCheck("percent_01", 1.1, 1.2, "0.1 dB are {percent_01:.2f} % of the amplitude."),
            ),
            why=(
                "0.1 dB are {percent_01:.1f} % of the amplitude. The ABX comparator was described by David Clark: "
                "“High-Resolution Subjective Testing Using a Double-Blind Comparator”, Journal of the Audio "
                "Engineering Society 30, 1982. The paper also suggests standards for matching responses, and other "
                "controls. A limit of 0.1 dB for the level has become customary. An example is the article “Further "
                "Thoughts on Double-Blind Listening Comparisons at Matched Levels” in the magazine The Audio Critic "
                "(issue 12). For amplifiers, it asks for levels that agree within 0.1 or at least 0.15 dB.\n\nrtgain "
                "turns the louder signal down, never the quieter one up, so that nothing clips. The estimate of a "
                "constant gain is far more exact than the limit."
            ),
            duration_s=3.0,
        ),
        Step(
            title="1 dB, level matched",
            text=(
                "The target is 1 dB louder, and “Level match” removes this. You may have written down “clearer” or "
                "“fuller” at 1 dB. Listen for that again: what is left of it? Take the test. Its last page lists your "
                "scores of this lesson. Compare the two at 1 dB, without and with the level match."
            ),
            watch="your two scores at 1 dB. If only the first one is high, you heard the level and nothing else.",
            listen="Dry (1) and Target (2), then the test.",
            controls={"input": "demo", "gain_db": 1.0, "level_match": "estimate"},
            expectations=(MATCHED, BLIND_TEST),
            checks=(
                NumericCheck("remaining_1_db", 0.0, 0.01, "After the level match, {remaining_1_db:.3f} dB remain."),
            ),
            duration_s=3.0,
        ),
        Step(
            title="0.5 dB, level matched",
            text=(
                "The target is 0.5 dB louder, and “Level match” removes this, too. It is your third test of equal "
                "signals. In one such test, guesses reach 7 of 8 in {guess_7_percent:.1f} % of cases. In at least one "
                "of three tests, they do so in {three_7_percent:.0f} % of cases. So choose the number of tests before "
                "you begin, and count all of them."
            ),
            watch="your two scores at 0.5 dB, on the last page of the test.",
            listen="Dry (1) and Target (2), then the test.",
            controls={"input": "demo", "gain_db": 0.5, "level_match": "estimate"},
            expectations=(MATCHED, BLIND_TEST),
            checks=(
                NumericCheck("remaining_05_db", 0.0, 0.01, "After the level match, {remaining_05_db:.3f} dB remain."),
                NumericCheck(
                    "three_7_percent",
                    10.0,
                    10.5,
                    "In at least one of three tests, guesses reach 7 of 8 in {three_7_percent:.1f} % of cases.",
                ),
            ),
            why=(
                "A listener who tries often enough gets a good score at some point. Guesses stay below 7 of 8 with a "
                "probability of {below_7:.3f} in one test. In all of three tests, they do so with a probability of "
                "{below_7:.3f} to the power 3. The rest is {three_7_percent:.0f} %. So a result counts only if all "
                "tests are reported, also those with a low score."
            ),
            duration_s=3.0,
        ),
        Step(
            title="Loudness is not gain",
            text=(
                "The sound is pink noise. A low shelf adds 6 dB below 1000 Hz. The gain is 0 dB for most of the "
                "spectrum, and so is the estimate. A level match by gain therefore changes nothing. But the target is "
                "louder by {shelf_lu:.1f} LU. Loudness adds up the power of all frequencies, weighted by how sensitive "
                "the ear is (ITU-R BS.1770). One LU is as much as one dB of gain. Take the test: are you comparing the "
                "sound, or the level?"
            ),
            watch=(
                "the meters: “LUFS I”, the loudness so far, is higher for Target, although the gain is 0 dB. ± is "
                "large, because one gain does not fit all frequencies (lesson 7)."
            ),
            listen="Dry (1) and Target (2), with more bass, and louder.",
            controls={**SHELVED_NOISE, "level_match": "estimate"},
            expectations=(SAME_GAIN, InRange("remaining_loudness_lu", 2.2, 2.9, deadline_s=10.0), BLIND_TEST),
            checks=(
                NumericCheck("shelf_db", -0.05, 0.05, "The estimate of the gain is {shelf_db:.2f} dB."),
                NumericCheck("shelf_lu", 2.2, 2.9, "The target is louder by {shelf_lu:.2f} LU."),
                NumericCheck("music_lu", 1.95, 2.05, "With a gain of 2 dB alone, it is louder by {music_lu:.2f} LU."),
            ),
            why=(
                "The estimate is the gain of most of the bins, and most of them are above 1000 Hz. It is the factor by "
                "which the sound was multiplied. Loudness is a measure of how strong the sound is to the ear. For a "
                "gain alone, both have the same number: 2 dB of gain are {music_lu:.2f} LU. As soon as an equalizer or "
                "a compressor is involved, they differ."
            ),
            figures={"shelf": "The response of the low shelf, and the gain that the estimate finds."},
            sounds={"noise": "Pink noise.", "shelved": "Through the low shelf: {shelf_lu:.1f} LU louder."},
            duration_s=3.0,
        ),
        Step(
            title="Better, or just different?",
            text=(
                "The same signals with “Level match” set to “By loudness”: the target is turned down by {shelf_lu:.1f} "
                "dB. Both are equally loud now, and only the sound differs. Take the test again. If you still tell "
                "them apart, you hear the equalizer and not the level. Only now is the question which one is better a "
                "fair one."
            ),
            watch="the first page of the test: no difference in loudness remains, but one in gain.",
            listen="Dry (1) and Target (2): equally loud, with more and with less bass.",
            controls={**SHELVED_NOISE, "level_match": "loudness"},
            expectations=(SAME_GAIN, InRange("remaining_loudness_lu", -0.1, 0.1, deadline_s=10.0), BLIND_TEST),
            checks=(
                NumericCheck(
                    "matched_lu", 0.0, 0.05, "Turned down by its loudness, its loudness differs by {matched_lu:.2f} LU."
                ),
            ),
            why=(
                "Loudness is a model of an average listener. For two versions of one sound it is good to a few tenths "
                "of a LU. If one of them still seems louder to you, change the level until both are equal for you, and "
                "test again.\n\nTwo recordings are compared in the same way in the workspace Compare. There, the "
                "preference test asks which one is better, without a right answer."
            ),
            sounds={"shelved_matched": "Through the low shelf, turned down by {shelf_lu:.1f} dB."},
            duration_s=3.0,
        ),
    ),
)
