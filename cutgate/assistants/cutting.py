"""Cutting one file out, by a service or in this process, with one set of options for both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cutgate.formats import format_for
from cutgate.protocol.picpik import Settings

if TYPE_CHECKING:
    from cutgate.client.client import Client
    from cutgate.in_process.remover import Remover


class Finished(NamedTuple):
    """One result."""

    content: bytes
    """The file, in the format of its name."""
    subject_found: bool | None
    confidence: float | None


class Cutter(Protocol):
    """Cuts files out."""

    def __call__(self, picture: Path, output: Path, options: dict[str, Any]) -> Finished:
        """Cut a picture out.

        Args:
            picture: the file.
            output: where the result will lie; its suffix is the format. Nothing is written.
            options: those of `Settings` and `RenderOptions` that both sides have.

        Raises:
            CutgateError: the picture, or whoever cuts it out, is at fault.
            OSError: the file cannot be read.
            ValueError: an option is wrong.
        """


def by_service(client: Client) -> Cutter:
    """Cut out at a service. What is shown otherwise than as a PNG is made there too, and costs nothing more."""

    def cut(picture: Path, output: Path, options: dict[str, Any]) -> Finished:
        file_format = format_for(output)
        settings = {name: options[name] for name in options.keys() & Settings.__optional_keys__}
        looks = {name: options[name] for name in options.keys() - Settings.__optional_keys__}
        job = client.remove_background(picture, **settings)
        if looks or file_format != "png":
            job = job.render(file_format=file_format, **looks)  # type: ignore[arg-type]
        return Finished(job.result(), job.subject_found, job.confidence)

    return cut


def in_process(remover: Remover) -> Cutter:
    """Cut out in this process; the network is loaded at the first picture and stays."""

    def cut(picture: Path, output: Path, options: dict[str, Any]) -> Finished:
        file_format = format_for(output)
        if file_format == "jpeg" and {"background", "only_mask"}.isdisjoint(options):
            options = {**options, "background": "white"}  # as a service has it
        cutout = remover.remove_background(picture, **options)
        return Finished(cutout.to_bytes(file_format), cutout.subject_found, cutout.confidence)

    return cut
