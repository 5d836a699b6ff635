"""Pictures as callers send them, and what their bytes and headers show before anything is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from gateway.headers import PictureHeader, SourceLimits, inspect
from gateway.source import SourceText, decode_source
from jobs.errors import BoxOutsidePicture, SourceRejected
from jobs.spec import Box, CutoutSpec

_INSTALLATION: Final = {"version", "model", "precision"}
"""Parts of a spec that the installation chooses, not the caller."""

Corners = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the oriented picture, as the caller sent them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One picture as a caller sent it, and what is to be done with it."""

    source: SourceText = field(repr=False)
    spec: CutoutSpec
    """Without a box; it is set from `corners` once the picture's size is known."""
    corners: Corners | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out about a draft, without its bytes: a batch is not held in memory."""

    digest: bytes
    """Of the picture's bytes; of the text, where that is no Base64."""
    spec: CutoutSpec
    fault: SourceRejected | None = None
    """Why the picture cannot be accepted."""

    @classmethod
    def at(cls, draft: Draft, limits: SourceLimits) -> Self:
        """Decode and inspect a picture; what is wrong with it is kept, not raised."""
        try:
            data = decode_source(draft.source, limits.max_bytes)
        except SourceRejected as fault:
            return cls(_text_digest(draft.source), draft.spec, fault)
        digest = hashlib.sha256(data).digest()
        try:
            header = inspect(data, limits)
            box = None if draft.corners is None else clamp(draft.corners, header)
        except SourceRejected as fault:
            return cls(digest, draft.spec, fault)
        return cls(digest, draft.spec.model_copy(update={"box": box}))


def clamp(corners: Corners, header: PictureHeader) -> Box:
    """Cut a box to the oriented picture.

    Raises:
        BoxOutsidePicture: nothing of it is left.
    """
    left_px, top_px, right_px, bottom_px = corners
    left_px, top_px = max(left_px, 0), max(top_px, 0)
    right_px, bottom_px = min(right_px, header.width_px), min(bottom_px, header.height_px)
    if right_px <= left_px or bottom_px <= top_px:
        raise BoxOutsidePicture(
            f"the box has no area within the picture of {header.width_px} x {header.height_px} pixels",
            width_px=header.width_px,
            height_px=header.height_px,
        )
    return Box(left_px=left_px, top_px=top_px, right_px=right_px, bottom_px=bottom_px)


def content_digest(origin: str, drafts: Sequence[Draft], looks: Sequence[Look]) -> str:
    """A digest of what the caller asked for, once decoded: a repeat has the same, another request has not."""
    state = hashlib.sha256(origin.encode())
    for draft, look in zip(drafts, looks, strict=True):
        asked = draft.spec.model_dump_json(exclude=_INSTALLATION)
        state.update(f"\0{asked}\0{draft.corners}\0".encode())
        state.update(look.digest)
    return state.hexdigest()


def _text_digest(text: SourceText) -> bytes:
    state = hashlib.sha256(b"text\0")
    for chunk in [text] if isinstance(text, str) else text.chunks():
        state.update(chunk.encode())
    return state.digest()
