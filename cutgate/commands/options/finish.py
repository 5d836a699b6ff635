"""Options for the files of results: format, crop and background."""

from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishOptions:
    """What a caller wants of the files."""

    file_format: str = "png"
    quality: int | None = None
    background: str | None = None
    background_image: Path | None = None
    megapixels: float | None = None
    crop_margin: str | None = None
    scale: str | None = None
    position: str | None = None
    shadow: str | None = None

    @property
    def any(self) -> bool:
        """Whether the files are to be other than what the service delivers."""
        return self != FinishOptions()

    def check(self, *, only_mask: bool) -> None:
        """Refuse what contradicts itself.

        Raises:
            ValueError: two options exclude each other.
        """
        behind = self.background is not None or self.background_image is not None
        if self.background is not None and self.background_image is not None:
            raise ValueError("--background and --background-image exclude each other")
        if only_mask and behind:
            raise ValueError("a mask has no background")
        if only_mask and self.shadow is not None:
            raise ValueError("a mask has no shadow")
        if self.quality is not None and self.file_format == "png":
            raise ValueError("--quality is for webp, jpeg and zip; png is always lossless")

    @property
    def composing(self) -> dict[str, str | float | None]:
        """The options that the library has under the same names, but for the picture behind the subject."""
        names = ("background", "megapixels", "crop_margin", "scale", "position", "shadow")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        """What was asked for, in one line."""
        return " ".join(f"{name}={value}" for name, value in asdict(self).items() if value is not None)
