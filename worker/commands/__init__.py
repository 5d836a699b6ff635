"""Operators' commands under `python -m cutgate.worker`."""
