"""What Debian's packages give without being installed: a Docker Engine, and the system that images begin with."""

import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ENGINE_SUITE: Final = "trixie"
"""The first Debian whose Engine and Compose are new enough."""
IMAGE_SUITE: Final = "bookworm"
"""The Debian of the images."""
ENGINE: Final = ("docker.io", "docker-cli", "docker-compose", "docker-buildx", "containerd", "tini")
OWN: Final = (
    *("runc", "iptables", "debootstrap", "libxtables12", "libip4tc2", "libip6tc2", "libnftnl11", "libmnl0"),
    *("libnfnetlink0", "libnetfilter-conntrack3"),
)
"""Packages of this machine's own Debian, whose libc they need."""
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
PLUGINS: Final = Path("usr/libexec/docker/cli-plugins")


def is_usable() -> bool:
    """Whether packages can be unpacked and run here."""
    tools = ("apt-get", "dpkg-deb", "nsenter", "ip")
    return (
        platform.system() == "Linux"
        and os.geteuid() == 0
        and all(shutil.which(tool) for tool in tools)
        and platform.freedesktop_os_release().get("ID") == "debian"
        and KEYRING.exists()
    )


def environment_of(programs: Path) -> Mapping[str, str]:
    """What finds unpacked programs and their libraries first."""
    libraries = programs / "usr/lib" / f"{platform.machine()}-linux-gnu"
    return os.environ | {
        "PATH": f"{programs}/usr/sbin:{programs}/usr/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(libraries),
        "XTABLES_LIBDIR": str(libraries / "xtables"),
        "DEBOOTSTRAP_DIR": str(programs / "usr/share/debootstrap"),
    }


def unpacked_engine(folder: Path) -> Path:
    """The engine's programs, fetched unless they are there; apt's lists and sources are the folder's own."""
    programs = folder / "programs"
    if programs.is_dir():
        return programs
    apt, debs, unpacking = folder / "apt", folder / "debs", folder / "unpacking"
    for path in (apt / "lists" / "partial", apt / "cache" / "archives" / "partial", debs):
        path.mkdir(parents=True, exist_ok=True)
    own = platform.freedesktop_os_release()["VERSION_CODENAME"]
    suites = sorted({ENGINE_SUITE, own})
    lines = [f"deb [signed-by={KEYRING}] {mirror(own)} {suite} main\n" for suite in suites]
    (apt / "sources.list").write_text("".join(lines), encoding="utf-8")
    places = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        # The user that apt takes to fetch cannot enter the folder.
        "APT::Sandbox::User": "root",
    }
    get = ("apt-get", "--quiet", *(f"--option={name}={value}" for name, value in places.items()))
    _run(*get, "update", cwd=debs)
    named = [f"{name}/{ENGINE_SUITE}" for name in ENGINE] + [f"{name}/{own}" for name in OWN]
    _run(*get, "download", *named, cwd=debs)
    for package in sorted(debs.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(package), str(unpacking), cwd=debs)
    for tool in ("iptables", "ip6tables", "iptables-save", "iptables-restore"):  # as an installation links them
        link = unpacking / "usr/sbin" / tool
        link.unlink(missing_ok=True)
        link.symlink_to("xtables-nft-multi")
    return unpacking.rename(programs)


def image_system(folder: Path, environment: Mapping[str, str]) -> Path:
    """Debian's smallest system with its Python, as a tree of files; `environment` finds debootstrap."""
    system = folder / "system"
    options = ("--variant=minbase", "--include=python3,python3-venv,ca-certificates")
    _run(
        "debootstrap", *options, IMAGE_SUITE, str(system), mirror(IMAGE_SUITE), cwd=folder, environment=environment
    )
    (system / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.rmtree(system / "var/cache/apt")
    # What this machine trusts, a proxy's authority among it, for pip and npm.
    shutil.copy(CERTIFICATES, system / CERTIFICATES.relative_to("/"))
    return system


def mirror(suite: str) -> str:
    """Where this machine's apt has a Debian from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Release: {suite}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found, f"apt of this machine names no mirror of {suite}"
    return found[0]


def _run(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
