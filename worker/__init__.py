"""The side of Keycut that computes: claim, read, cut out, write, finish."""
