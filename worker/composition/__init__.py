"""Lays a cut-out out before it is written: position, size, and what lies below it."""
