"""Two recordings matched against each other: gain, delay and polarity, one pair or many."""
