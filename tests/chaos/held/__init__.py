"""Callers of remove.bg's protocol, and the pictures that their results lie over."""
