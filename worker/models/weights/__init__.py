"""Models and their files of weights: found, fetched, verified."""
