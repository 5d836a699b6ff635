"""A Chromium for the tests: Debian's where it is on the path, else npm's `@sparticuz/chromium`."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import playwright
from playwright.sync_api import Browser, sync_playwright

from tests.clients.installed import installed, node, npm_install, npm_pins

HERE = Path(__file__).parent
PINS = HERE / "environments"
VERSION = "153.0.0"
DRIVER_NODE = Path(playwright.__file__).parent / "driver" / "node"
UNPACK = """
const { createReadStream, createWriteStream } = require("node:fs");
const { createBrotliDecompress } = require("node:zlib");
const [source, target] = process.argv.slice(1);
createReadStream(source).pipe(createBrotliDecompress()).pipe(createWriteStream(target));
"""
FONTS = """<?xml version="1.0"?>
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>
"""
"""In place of the package's own, which looks where Lambda would unpack it."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No sandbox, since tests may run as root; and nothing that asks hosts on its own."""


def driver_node() -> str:
    """Node.js as Playwright brings it; where that lacks a library, the one that fetches packages from npm."""
    runs = subprocess.run([DRIVER_NODE, "--version"], capture_output=True, check=False).returncode == 0
    return str(DRIVER_NODE) if runs else node()


@dataclass(frozen=True)
class Chromium:
    """A program, and what it needs around it."""

    path: Path
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def chromium() -> Chromium:
    """The browser of this machine, else one in the cache folder."""
    found = shutil.which("chromium")
    return Chromium(Path(found)) if found else chromium_from_npm()


def chromium_from_npm() -> Chromium:
    """The browser from npm, unpacked once; it brings the shared libraries and the font that it needs."""
    pins = npm_pins(PINS)

    def install(folder: Path) -> None:
        npm_install(pins, folder)
        packed = folder / "node_modules" / "@sparticuz" / "chromium" / "bin"
        for name in ("chromium", "al2023.tar", "swiftshader.tar", "fonts.tar"):
            # Brotli, which Python does not read.
            subprocess.run([driver_node(), "-e", UNPACK, packed / f"{name}.br", folder / name], check=True)
            if name.endswith(".tar"):
                subprocess.run(["tar", "-xf", name], cwd=folder, check=True)
                (folder / name).unlink()
        (folder / "chromium").chmod(0o755)
        (folder / "fonts.conf").write_text(FONTS.format(folder=folder))
        shutil.rmtree(folder / "node_modules")

    folder = installed(f"chromium-{VERSION}", pins, install)
    return Chromium(
        folder / "chromium",
        flags=("--headless=shell",),
        environment={"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_PATH": str(folder)},
    )


@contextmanager
def running(program: Chromium) -> Iterator[Browser]:
    """The browser, until the block ends."""
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = driver_node()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program.path, args=[*FLAGS, *program.flags], env={**os.environ, **program.environment}
        )
        try:
            yield browser
        finally:
            browser.close()
