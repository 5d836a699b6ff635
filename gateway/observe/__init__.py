"""Counts and logs of every request."""
