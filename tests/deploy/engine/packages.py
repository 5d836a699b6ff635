"""Docker Engine and what it runs on, from Debian's packages, unpacked into a folder: nothing is installed."""

import os
import platform
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy.built_images import debian_mirror

SUITE: Final = "trixie"
"""The first Debian whose Engine and Compose are new enough."""
NEW: Final = ("docker.io", "docker-cli", "docker-compose", "docker-buildx", "containerd", "tini")
OWN: Final = (
    "runc",
    "iptables",
    "libxtables12",
    "libip4tc2",
    "libip6tc2",
    "libnftnl11",
    "libmnl0",
    "libnfnetlink0",
    "libnetfilter-conntrack3",
    "debootstrap",
)
"""Of this machine's own Debian, whose libc they need."""
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TOOLS: Final = ("iptables", "ip6tables", "iptables-save", "iptables-restore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Unpacked packages."""

    root: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What finds the programs and their libraries first."""
        libraries = self.root / "usr/lib" / f"{platform.machine()}-linux-gnu"
        return os.environ | {
            "PATH": f"{self.root}/usr/sbin:{self.root}/usr/bin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": str(libraries),
            "XTABLES_LIBDIR": str(libraries / "xtables"),
            "DEBOOTSTRAP_DIR": str(self.root / "usr/share/debootstrap"),
        }

    @property
    def plugins(self) -> Path:
        """Folder of Compose and buildx."""
        return self.root / "usr/libexec/docker/cli-plugins"


def fetched(folder: Path) -> Programs:
    """The programs, fetched unless they are there; apt's lists and sources are the folder's own."""
    programs = Programs(root=folder / "programs")
    if programs.plugins.is_dir():
        return programs
    apt, debs = folder / "apt", folder / "debs"
    for path in (apt / "lists" / "partial", apt / "cache" / "archives" / "partial", debs):
        path.mkdir(parents=True, exist_ok=True)
    own = platform.freedesktop_os_release()["VERSION_CODENAME"]
    (apt / "sources.list").write_text(_sources(own), encoding="utf-8")
    options = _options(apt)
    _run("apt-get", *options, "--quiet", "update", cwd=debs)
    named = [f"{name}/{SUITE}" for name in NEW] + [f"{name}/{own}" for name in OWN]
    _run("apt-get", *options, "--quiet", "download", *named, cwd=debs)
    _unpack(debs, programs.root)
    return programs


def _unpack(debs: Path, root: Path) -> None:
    """Unpack all packages of a folder; `root` is there with all of them or not at all."""
    unpacking = root.with_name("unpacking")
    for package in sorted(debs.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(package), str(unpacking), cwd=debs)
    for tool in TOOLS:  # what installing iptables would link
        link = unpacking / "usr/sbin" / tool
        link.unlink(missing_ok=True)
        link.symlink_to("xtables-nft-multi")
    unpacking.rename(root)


def _sources(own: str) -> str:
    mirrors = debian_mirror(own)
    assert mirrors, f"apt of this machine names no mirror of {own}"
    suites = sorted({SUITE, own})
    return "".join(f"deb [signed-by={KEYRING}] {mirrors[0]} {suite} main\n" for suite in suites)


def _options(apt: Path) -> list[str]:
    """What keeps apt to a folder."""
    places = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        # The user that apt takes to fetch cannot enter the folder.
        "APT::Sandbox::User": "root",
    }
    return [f"--option={name}={value}" for name, value in places.items()]


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
