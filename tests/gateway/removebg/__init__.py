"""Tests of remove.bg's protocol."""
