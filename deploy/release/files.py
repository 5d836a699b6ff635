"""Wheel and sdist: the same bytes from the same commit, wherever the build packages are the pinned ones."""

import gzip
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from deploy.release.state import output
from deploy.supply_chain.audit import ROOT


def build(folder: Path) -> None:
    """Write wheel and sdist, made from a clean clone of the commit, and check their metadata.

    Raises:
        subprocess.CalledProcessError: a tool found a fault; its output says which.
    """
    epoch = output("git", "log", "-1", "--format=%ct").strip()
    os.environ["SOURCE_DATE_EPOCH"] = epoch
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as clone:
        output("git", "clone", "--quiet", str(ROOT), clone)
        output(sys.executable, "-W", "ignore", "-m", "build", "--no-isolation", "--outdir", str(folder), clone)
    for path in folder.glob("*.tar.gz"):
        _set_dates(path, int(epoch))
    output(sys.executable, "-m", "twine", "check", "--strict", *map(str, folder.iterdir()))


def _set_dates(path: Path, epoch: int) -> None:
    """Pack a tar file again with the commit's date and no owner; setuptools writes the clock's and the user's."""
    with tarfile.open(path) as source:
        files = {member: source.extractfile(member) for member in source.getmembers()}
        with (
            gzip.GzipFile("", "wb", fileobj=path.with_suffix(".new").open("wb"), mtime=epoch) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as target,
        ):
            for member in sorted(files, key=lambda each: each.name):
                member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
                target.addfile(member, files[member])
    path.with_suffix(".new").replace(path)
