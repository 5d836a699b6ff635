"""The tool that assistants see, and what it tells them of a result."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Image as Preview
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from PIL import Image, ImageStat
from pydantic import BaseModel, Field

from cutgate import distribution
from cutgate.errors import CutgateError
from cutgate.files import write_whole
from cutgate.formats import BESIDE
from cutgate.protocol.connection import Download

REVIEW_BELOW: Final = 0.6
"""Results of a lower confidence are worth a look by a person."""
PREVIEW_PX: Final = 512
"""Longer side of the picture that an assistant sees."""
_GREY: Final = (128, 128, 128, 255)
_INSTRUCTIONS: Final = (
    "Removes the background of picture files. Paths lie in the folders of the server; relative ones start in the "
    "first. Tell the user when `review` is true, and show or name the output."
)


Cutter = Callable[[Path, Path, dict[str, Any]], Download]
"""Cuts a file out: the picture, the file of the result, whose suffix is the format, and those options
of `Settings` and `RenderOptions` that both sides have. It writes nothing, and raises CutgateError, OSError, or
ValueError where an option is wrong."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Resolved folders; relative paths start at the first one."""

    allowed: tuple[Path, ...]

    def to_read(self, name: str) -> Path:
        """Path of a picture, symbolic links followed.

        Raises:
            CutgateError: it leads out of the folders.
            FileNotFoundError: there is no such file.
        """
        path = self._inside(name)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return path

    def to_write(self, name: str, source: Path, *, overwrite: bool) -> Path:
        """Path of a result.

        Raises:
            CutgateError: it leads out of the folders, is the source, or is there and not to be overwritten.
            FileNotFoundError: its folder is missing.
        """
        path = self._inside(name)
        if path == source or (path.exists() and not overwrite):
            raise CutgateError(f"{path} exists already", advice="name another output, or ask with overwrite=true")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent}")
        return path

    def _inside(self, name: str) -> Path:
        path = (self.allowed[0] / name).resolve()
        if not any(path.is_relative_to(folder) for folder in self.allowed):
            allowed = ", ".join(map(str, self.allowed))
            advice = "`cutgate mcp --folder FOLDER` allows another folder"
            raise CutgateError(f"{path} is outside {allowed}", advice=advice)
        return path


class Described(BaseModel):
    """A result, for an assistant."""

    output: str = Field(description="The file that was written.")
    width_px: int
    height_px: int
    subject_found: bool | None = Field(description="False: none was found; the result is fully transparent.")
    confidence: float | None = Field(description="How likely the cut-out is right, 0 to 1; null where unknown.")
    review: bool = Field(description=f"A person should look: no subject, or confidence below {REVIEW_BELOW}.")
    subject_box: tuple[int, int, int, int] | None = Field(
        description="Left, top, right, bottom of what is not fully transparent; null without transparency."
    )
    subject_share: float | None = Field(description="Share of the area that the subject covers, 0 to 1.")


def server_for(cutter: Cutter, folders: Folders) -> MCPServer:
    """A server with one tool, `remove_background`.

    Args:
        cutter: cuts the files out; called from several threads.
        folders: where files may be read and written.
    """
    server = MCPServer(
        distribution.NAME, version=version(distribution.NAME), instructions=_INSTRUCTIONS, log_level="WARNING"
    )

    @server.tool(title="Remove the background of a picture")
    def remove_background(
        picture: Annotated[str, Field(description="File: JPEG, PNG, WebP, HEIC, AVIF, TIFF and others.")],
        output: Annotated[
            str | None,
            Field(description="File to write: .png, .webp or .jpg. Default: NAME-cutout.png."),
        ] = None,
        background: Annotated[
            str | None, Field(description="Colour behind the subject: white, #rrggbb. Default: transparent.")
        ] = None,
        box: Annotated[
            tuple[int, int, int, int] | None,
            Field(description="Left, top, right, bottom in pixels around the wanted subject."),
        ] = None,
        crop_margin: Annotated[
            str | None, Field(description="Crop to the subject with this margin, such as 10px or 5%.")
        ] = None,
        hair_optimization: Literal["auto", "on", "off"] = "auto",
        only_mask: Annotated[bool, Field(description="Write the alpha matte as a grey picture instead.")] = False,
        overwrite: Annotated[bool, Field(description="Replace the output if it exists.")] = False,
    ) -> Annotated[CallToolResult, Described]:
        """Cut the subject out of a picture file, write the result, and describe it with confidence and preview."""
        given = {
            "background": background,
            "box": box,
            "crop_margin": crop_margin,
            "hair_optimization": hair_optimization,
            "only_mask": only_mask or None,
        }
        options = {name: value for name, value in given.items() if value is not None}
        try:
            source = folders.to_read(picture)
            default = f"{source.with_suffix('')}{BESIDE[only_mask]}.png"
            target = folders.to_write(output or default, source, overwrite=overwrite)
            finished = cutter(source, target, options)
            write_whole(target, finished.content)
        except (CutgateError, OSError, ValueError) as error:
            raise ToolError(str(error)) from error
        return answer(finished, target)

    return server


def answer(finished: Download, output: Path) -> CallToolResult:
    """The facts of a result, as text and structured, and a small preview over grey."""
    doubtful = finished.confidence is not None and finished.confidence < REVIEW_BELOW
    with Image.open(io.BytesIO(finished.content)) as image:
        alpha = image.getchannel("A") if "A" in image.getbands() else None
        facts = Described(
            output=str(output),
            width_px=image.width,
            height_px=image.height,
            subject_found=finished.subject_found,
            confidence=finished.confidence,
            review=finished.subject_found is False or doubtful,
            subject_box=None if alpha is None else alpha.getbbox(),
            subject_share=None if alpha is None else round(ImageStat.Stat(alpha).mean[0] / 255, 3),
        )
        preview = preview_of(image)
    return CallToolResult(
        content=[TextContent(type="text", text=facts.model_dump_json()), preview.to_image_content()],
        structured_content=facts.model_dump(mode="json"),
    )


def preview_of(image: Image.Image) -> Preview:
    """A result over mid grey as a small JPEG, on which white and black fringes show."""
    small = image.convert("RGBA")
    small.thumbnail((PREVIEW_PX, PREVIEW_PX))
    canvas = Image.new("RGBA", small.size, _GREY)
    canvas.alpha_composite(small)
    content = io.BytesIO()
    canvas.convert("RGB").save(content, "JPEG", quality=85)
    return Preview(data=content.getvalue(), format="jpeg")
