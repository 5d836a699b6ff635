"""Images as buildah builds and mounts them: no engine, no registry, root and Debian's packages are enough."""

import ast
import configparser
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "docker.io/library/python:3.11-slim-bookworm"
SUITE: Final = "bookworm"
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_PLACES: Final = ("cert", "client-cert", "find-links", "index-url", "extra-index-url")
"""Options of pip whose values may be paths of this machine."""
_CONSTRAINTS: Final = ("constraint", "build-constraint")
"""Options of pip that name files of this machine. A build does without: its lock files fix every version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    name: str
    config: dict[str, Any]
    """What it says of its user, environment, command, health check and labels."""
    layers_bytes: int
    """All of its layers, uncompressed."""


class Buildah:
    """buildah with a storage of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        policy = folder / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="ascii")
        self._policy = ("--signature-policy", str(policy))
        # `vfs` copies every layer whole, but works where overlays cannot be mounted: in a container, for one.
        self._driver = "overlay"
        if self._try("images").returncode != 0:
            self._driver = "vfs"

    def build(self, context: Path, name: str, *options: str) -> Image:
        """Build `context`; stages that were built before are not built again."""
        options = ("--isolation", "chroot", "--pull-never", "--layers", "--format", "docker", *options)
        self._run("bud", *self._policy, *options, "--tag", name, str(context))
        described = json.loads(self._run("inspect", "--type", "image", name))
        layers = json.loads(described["Manifest"])["layers"]
        return Image(
            name=name, config=described["Docker"]["config"], layers_bytes=sum(layer["size"] for layer in layers)
        )

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        """The root of a container of this image."""
        container = self._run("from", *self._policy, "--pull-never", image.name).strip()
        try:
            yield Path(self._run("mount", container).strip())
        finally:
            self._run("rm", container)

    def remove_all(self) -> None:
        self._try("rm", "--all")
        self._try("rmi", "--all", "--force")
        subprocess.run(["umount", "--quiet", self.folder / "root" / self._driver], check=False)
        shutil.rmtree(self.folder)

    def _run(self, *arguments: str) -> str:
        done = self._try(*arguments)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def _try(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        storage = ("--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run")
        command = ("buildah", *storage, "--storage-driver", self._driver, *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False)


def build_base(buildah: Buildah, folder: Path) -> Image:
    """A stand-in for the official Python image, under its name: Debian's smallest system and Debian's Python."""
    system = debian_system(folder, os.environ)
    context = folder / "base"
    context.mkdir()
    subprocess.run(["tar", "--directory", system, "--create", "--file", context / "system.tar", "."], check=True)
    shutil.rmtree(system)
    (context / "Dockerfile").write_text('FROM scratch\nADD system.tar /\nCMD ["python"]\n', encoding="ascii")
    return buildah.build(context, BASE)


def debian_system(folder: Path, environment: Mapping[str, str]) -> Path:
    """Debian's smallest system with its Python, as a tree of files in `folder`.

    Args:
        folder: gets it, as `system`.
        environment: finds debootstrap.
    """
    system = folder / "system"
    packages = "python3,python3-venv,ca-certificates"
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(system), *debian_mirror()]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (system / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.rmtree(system / "var/cache/apt")
    return system


def debian_mirror(suite: str = SUITE) -> list[str]:
    """Where this machine's apt has a Debian from; nothing where it has another system."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Release: {suite}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()[:1]


def build_options(folder: Path) -> list[str]:
    """What lets pip and npm of a build reach what they reach on this machine."""
    pip, npm = folder / "pip.conf", Path.home() / ".npmrc"
    settings = pip_settings()
    with pip.open("w", encoding="utf-8") as file:
        settings.write(file)
    secrets = [("pip", pip), *([("npmrc", npm)] if npm.exists() else [])]
    words = [
        word for section in settings.values() for option in PIP_PLACES for word in section.get(option, "").split()
    ]
    paths = {Path(word.removeprefix("file://")) for word in words} | {CERTIFICATES}
    # pip is given the folder that holds an index; the files lie beside it.
    places = {
        path.parent if path.name == "simple" else path for path in paths if path.is_absolute() and path.exists()
    }
    return [
        *(f"--secret=id={name},src={path}" for name, path in secrets),
        *(f"--volume={place}:{place}:ro" for place in sorted(places)),
    ]


def pip_settings() -> configparser.RawConfigParser:
    """Settings that pip has on this machine, from files and the environment, as one file for a build."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    settings = configparser.RawConfigParser()
    # The environment comes last, because it counts for more.
    for line in sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        section, _, option = name.replace(":env:", "global").partition(".")
        if option in _CONSTRAINTS:
            continue
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, ast.literal_eval(value))
    return settings
