"""Tests of every package."""

import cutgate.worker  # noqa: F401 — before any import of ONNX Runtime: see there
