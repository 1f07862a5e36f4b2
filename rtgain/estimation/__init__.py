"""From windows of sound to estimates: the estimator, its memory over time, and the process around it."""
