"""Cutting one file out, by a service or in this process, with one set of options for both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutgate.formats import format_for
from cutgate.in_process.options import options_for
from cutgate.protocol.connection import Download
from cutgate.protocol.picpik import Settings

if TYPE_CHECKING:
    from cutgate.client.client import Client
    from cutgate.in_process.remover import Remover


Cutter = Callable[[Path, Path, dict[str, Any]], Download]
"""Cuts a file out: the picture, the file of the result, whose suffix is the format, and those options
of `Settings` and `RenderOptions` that both sides have. It writes nothing, and raises CutgateError, OSError, or
ValueError where an option is wrong."""


def by_service(client: Client) -> Cutter:
    """Cut out at a service. What is shown otherwise than as a PNG is made there too, and costs nothing more."""

    def cut(picture: Path, output: Path, options: dict[str, Any]) -> Download:
        file_format = format_for(output)
        settings = {name: options[name] for name in options.keys() & Settings.__optional_keys__}
        looks = {name: options[name] for name in options.keys() - Settings.__optional_keys__}
        job = client.remove_background(picture, **settings)
        if looks or file_format != "png":
            job = job.render(file_format=file_format, **looks)  # type: ignore[arg-type]
        return Download(job.result(), job.subject_found, job.confidence)

    return cut


def in_process(remover: Remover) -> Cutter:
    """Cut out in this process; the network is loaded at the first picture and stays."""

    def cut(picture: Path, output: Path, options: dict[str, Any]) -> Download:
        file_format = format_for(output)
        cutout = remover.remove_background(picture, **options_for(options, file_format))
        return Download(cutout.to_bytes(file_format), cutout.subject_found, cutout.confidence)

    return cut
