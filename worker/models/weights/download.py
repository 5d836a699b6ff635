"""Weights that are a single file on a web server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.model import Download

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0


def download(source: Download, target: Path) -> None:
    """Fetch a single file, unchecked."""
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    try:
        with httpx.stream("GET", source.url, follow_redirects=True, timeout=timeout) as response:
            response.raise_for_status()
            length = response.headers.get("Content-Length", "")
            total_bytes = int(length) if length.isdecimal() else None
            with target.open("wb") as file, progress_bar(target.name, total_bytes) as show:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    show(file.tell())
    except httpx.HTTPStatusError as error:
        raise ModelUnavailable(f"answered HTTP {error.response.status_code}") from error
    except httpx.TimeoutException as error:
        raise ModelUnavailable("did not answer in time") from error
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"cannot be reached, or the transfer broke off ({error})") from error


@contextmanager
def progress_bar(label: str, total_bytes: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while the block lasts, off a terminal none; it is given the bytes so far."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total_bytes)
        yield lambda done_bytes: progress.update(task, completed=done_bytes)
