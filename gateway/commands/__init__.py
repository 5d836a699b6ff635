"""Operators' commands under `python -m cutgate.gateway`."""
