"""Matching of two recordings: gain, delay and polarity, for one pair or many."""
