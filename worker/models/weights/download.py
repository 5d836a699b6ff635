"""Weights that are a single file on a web server."""

from pathlib import Path

import httpx

from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.model import Download
from cutgate.worker.models.weights.progress import progress_bar

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
