"""Composing cut-outs."""
