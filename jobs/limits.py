"""How large a picture may be: one bound for the gateway that takes it and the worker that decodes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """What a source may be."""

    max_bytes: int
    max_pixels: int
    max_side_px: int
