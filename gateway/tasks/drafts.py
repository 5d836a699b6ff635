"""Pictures as callers send them, and what their bytes and headers show before anything is stored."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Self, TypeAlias

from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.web_url import WEB_URL_FORM, is_web_url
from cutgate.jobs.answers import Kept
from cutgate.jobs.errors import BoxOutsidePicture, SourceRejected, SourceUnreachable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import PictureHeader, inspect, require_size
from cutgate.jobs.record import Delivery, RateUse, Result
from cutgate.jobs.spec import Box, CutoutSpec

_INSTALLATION: Final = {"version", "model", "precision"}
"""Parts of a spec that the installation chooses, not the caller."""

_SPECS: Final = 256
"""How many specs are kept as JSON: most requests ask for one of few."""

Corners = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the oriented picture, as the caller sent them."""


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """Where a picture is to be fetched from; it may hold a secret."""

    url: str = field(repr=False)
    keep: bool = False
    """Whether it is kept as an upload once it is here, and nothing else is done with it."""
    rate: RateUse | None = None
    """In which its megapixels count once they are known, beyond the first."""


@dataclass(frozen=True, slots=True)
class InspectedPicture:
    """A picture whose bytes came as they are, and were looked at."""

    data: bytes = field(repr=False)
    header: PictureHeader

    @classmethod
    def of(cls, data: bytes, limits: SourceLimits) -> Self:
        """Look at the bytes of a picture; `SourceRejected` where what they show is not acceptable."""
        header = inspect(data, limits)
        return cls(header.picture_of(data), header)


Source: TypeAlias = str | InspectedPicture | Result | Kept | SourceUrl
"""A picture in Base64 or in bytes, one that lies with the service already, alone or with its mask, or one that is
still to be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One picture as a caller sent it, and what is to be done with it."""

    source: Source = field(repr=False)
    spec: CutoutSpec
    """Without a box; it is set from `corners` once the picture's size is known."""
    corners: Corners | None = None
    background: Source | None = field(default=None, repr=False)
    """The picture behind the subject."""

    def __post_init__(self) -> None:
        if isinstance(self.source, SourceUrl) and self.corners is not None:
            raise ValueError("a box cannot be cut to a picture whose size is not known yet")


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """What was found out about a draft."""

    digest: bytes
    """Of the picture's bytes; of the text, where that is no Base64; of the name of what lies elsewhere."""
    spec: CutoutSpec
    data: bytes | None = field(default=None, repr=False)
    """The picture, where it came in the request."""
    fault: SourceRejected | None = None
    """Why the picture, or its background, cannot be accepted."""
    background: "CheckedPicture | None" = None

    @classmethod
    def of(cls, draft: Draft, limits: SourceLimits, *, digests: bool = True) -> Self:
        """Check a picture as far as it is here; what is wrong with it is kept, not raised.

        Without `digests` that of a picture in the request is empty.
        """
        checked = cls._of_source(draft, limits, digests=digests)
        if draft.background is None:
            return checked
        behind = cls._of_source(Draft(source=draft.background, spec=draft.spec), limits, digests=digests)
        fault = checked.fault or (behind.fault and behind.fault.of_background())
        return replace(checked, background=behind, fault=fault)

    @classmethod
    def _of_source(cls, draft: Draft, limits: SourceLimits, *, digests: bool) -> Self:
        source = draft.source
        if isinstance(source, SourceUrl):
            unreachable = None if is_web_url(source.url) else SourceUnreachable(WEB_URL_FORM)
            return cls(_name_digest("url", source.url), draft.spec, fault=unreachable)
        if isinstance(source, Kept):
            return cls(_name_digest("mask", str(source.mask)), draft.spec)
        digest = _name_digest("kept", str(source.blob)) if isinstance(source, Result) else b""
        try:
            if isinstance(source, Result):
                # It was within the limits when it came, but as a result it may have grown.
                require_size(source.size_bytes, source.width_px, source.height_px, limits)
                return cls(digest, _boxed(draft, source.width_px, source.height_px))
            data = decode_source(source, limits.max_bytes) if isinstance(source, str) else source.data
            digest = hashlib.sha256(data).digest() if digests else b""
            header = inspect(data, limits) if isinstance(source, str) else source.header
            return cls(digest, _boxed(draft, header.width_px, header.height_px), header.picture_of(data))
        except SourceRejected as fault:
            if digests and not digest and isinstance(source, str):  # it is no Base64
                digest = _name_digest("text", source)
            return cls(digest, draft.spec, fault=fault)


def _boxed(draft: Draft, width_px: int, height_px: int) -> CutoutSpec:
    """A draft's spec with its box, for a picture of known size."""
    if draft.corners is None:
        return draft.spec
    return draft.spec.model_copy(update={"box": clamp(draft.corners, width_px, height_px)})


def clamp(corners: Corners, width_px: int, height_px: int) -> Box:
    """Cut a box to the oriented picture; `BoxOutsidePicture` where nothing of it is left."""
    left_px, top_px, right_px, bottom_px = corners
    left_px, top_px = max(left_px, 0), max(top_px, 0)
    right_px, bottom_px = min(right_px, width_px), min(bottom_px, height_px)
    if right_px <= left_px or bottom_px <= top_px:
        raise BoxOutsidePicture(
            f"the box has no area within the picture of {width_px} x {height_px} pixels",
            width_px=width_px,
            height_px=height_px,
        )
    return Box(left_px=left_px, top_px=top_px, right_px=right_px, bottom_px=bottom_px)


def content_digest(
    origin: str,
    drafts: Sequence[Draft],
    checked: Sequence[CheckedPicture],
    asked: str = "",
    deliveries: Sequence[Delivery] = (),
) -> str:
    """A digest of what the caller asked for, once decoded: a repeat has the same, another request has not."""
    state = hashlib.sha256(origin.encode())
    for draft, picture in zip(drafts, checked, strict=True):
        state.update(f"\0{_asked_of(draft.spec)}\0{draft.corners}\0".encode())
        state.update(picture.digest)
        if picture.background is not None:
            state.update(b"\0background\0" + picture.background.digest)
    # Written only where there is any, each under a name that begins no spec.
    for name, value in (("asked", asked), *((delivery.kind.value, delivery.url) for delivery in deliveries)):
        if value:
            state.update(f"\0{name}\0".encode() + _name_digest(name, value))
    return state.hexdigest()


@lru_cache(_SPECS)
def _asked_of(spec: CutoutSpec) -> str:
    """What the caller chose of a spec, as JSON."""
    return spec.model_dump_json(exclude=_INSTALLATION)


def _name_digest(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).digest()
