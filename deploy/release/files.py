"""Files of a release: the same bytes from the same commit, on any machine with the pinned build packages."""

import gzip
import os
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from deploy.release.state import output
from deploy.supply_chain.audit import ROOT
from deploy.supply_chain.materials import IMAGES, of_target, of_weights, write

SUMS: Final = "SHA256SUMS"


def build(folder: Path) -> None:
    """Write sdist and wheel, made from a clean clone of the commit, and check their metadata.

    Raises:
        subprocess.CalledProcessError: a tool found a fault; its output says which.
    """
    epoch = int(output("git", "log", "-1", "--format=%ct"))
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as clone:
        output("git", "clone", "--quiet", str(ROOT), clone)
        output(sys.executable, "-W", "ignore", "-m", "build", "--no-isolation", "--outdir", str(folder), clone)
    for path in folder.glob("*.tar.gz"):
        _set_dates(path, epoch)
    output(sys.executable, "-m", "twine", "check", "--strict", *map(str, folder.iterdir()))


def _set_dates(path: Path, epoch: int) -> None:
    """Pack a tar file again with the commit's date; setuptools takes the clock's and the user's name."""
    packed = path.with_suffix(".new")
    with (
        tarfile.open(path) as source,
        gzip.GzipFile("", "wb", fileobj=packed.open("wb"), mtime=epoch) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda each: each.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    packed.replace(path)


def write_sboms(folder: Path) -> None:
    """Write the SBOMs of all images, by their lock files, and of the weights."""
    for name, bom in {**{target: of_target(target) for target in IMAGES}, "weights": of_weights()}.items():
        write(bom, folder / f"{name}.cdx.json")


def write_sums(folder: Path) -> None:
    """Write the checksums of all files in a folder, as `sha256sum --check` reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), "utf-8")
