"""Weights that are a single file on a web server."""

import queue
import sys
import threading
from pathlib import Path

import httpx
import pooch

from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.model import Download
from cutgate.worker.models.weights.npm import PROBE_SECONDS


def download(source: Download, target: Path) -> None:
    """Fetch a single file, unchecked.

    Raises:
        ModelUnavailable: its host does not answer within the probe's time, or the transfer breaks off.
    """
    _probe(source.url)
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30)
    try:
        downloader(source.url, target, None)
    except OSError as error:  # every error of requests, which pooch uses, is one
        raise ModelUnavailable(f"the transfer broke off ({type(error).__name__})") from error


def _probe(url: str) -> None:
    """Raise `ModelUnavailable` unless the host answers at once.

    It is asked from a thread, because looking up its name has no time limit of its own.
    """
    complaints: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=PROBE_SECONDS) as response:
                complaints.put("" if response.is_success else f"answered HTTP {response.status_code}")
        except httpx.HTTPError as error:
            complaints.put(f"cannot be reached ({error})")

    threading.Thread(target=ask, daemon=True).start()
    try:
        complaint = complaints.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        complaint = f"did not answer within {PROBE_SECONDS:g} s"
    if complaint:
        raise ModelUnavailable(complaint)
