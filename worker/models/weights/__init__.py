"""Which models there are, and their files of weights: found, fetched, verified."""
