"""What Cutgate reaches, measured. Each part runs from the repository's root: `python -m benchmarks.<part>`."""

import cutgate.worker  # noqa: F401 — before any import of ONNX Runtime, rembg's included: see there


class Absent(Exception):
    """Something that a benchmark needs is not there; the text says what, and how to get it."""
