"""The whole service on this machine, as processes."""
