"""Formats, crops and backgrounds, of which the protocol knows nothing: they are made on this machine.

The service delivers its PNG; `python -m cutgate.worker finish`, one process for all pictures of a call, makes the
file.
"""

import json
import subprocess
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, Self

from cutgate.errors import CommandFailed
from cutgate.local.parts import last_line, part_command, require_parts
from cutgate.scratch import scratch_folder

COMMAND: Final = ("worker", "finish")


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

    def arguments(self) -> list[str]:
        """The same for the worker's command."""
        named = {
            "--format": self.file_format,
            "--quality": self.quality,
            "--background": self.background,
            "--background-image": self.background_image,
            "--megapixels": self.megapixels,
            "--crop-margin": self.crop_margin,
            "--scale": self.scale,
            "--position": self.position,
            "--shadow": self.shadow,
        }
        return [f"{name}={value}" for name, value in named.items() if value is not None]


class Finisher:
    """The worker's command for the length of a block; use it from any number of threads.

    Raises:
        PartsMissing: the libraries of the worker are not installed.
    """

    def __init__(self, finish: FinishOptions) -> None:
        require_parts("worker")
        self._command = (*part_command(*COMMAND), *finish.arguments())
        self._turn = threading.Lock()
        self._numbers = count()

    def __enter__(self) -> Self:
        self._scratch = scratch_folder()
        self._folder = self._scratch.__enter__()
        self._said = Path(self._folder, "stderr").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # all that it was asked is answered, and on a slow machine it may still be starting
        self._process.communicate()
        self._said.close()
        self._scratch.__exit__(None, None, None)

    def convert(self, delivered: bytes) -> bytes:
        """A file's content as it was wished for, made of the PNG that the service delivers.

        Raises:
            CommandFailed: the worker cannot make such a file of it.
            OSError: a file cannot be written.
        """
        number = next(self._numbers)
        source, target = (Path(self._folder, f"{number}.{what}") for what in ("delivered", "finished"))
        source.write_bytes(delivered)
        self._ask(source, target)
        source.unlink()
        content = target.read_bytes()
        target.unlink()
        return content

    def _ask(self, source: Path, target: Path) -> None:
        """Let the command make a file."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            try:
                self._process.stdin.write(json.dumps({"source": str(source), "target": str(target)}) + "\n")
                self._process.stdin.flush()
                answer = json.loads(self._process.stdout.readline())
            except (BrokenPipeError, ValueError):
                self._said.seek(0)
                raise CommandFailed(" ".join(COMMAND), last_line(self._said.read())) from None
        if answer["error"] is not None:
            raise CommandFailed(" ".join(COMMAND), answer["error"])
