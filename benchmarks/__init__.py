"""What Keycut reaches, measured. Each part runs from the root of the repository: `python -m benchmarks.<part>`."""

import worker  # noqa: F401 — before any import of ONNX Runtime, rembg's included: see there


class Absent(Exception):
    """Something that a benchmark needs is not there; the text says what, and how to get it."""
