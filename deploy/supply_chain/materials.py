"""Software bills of materials (CycloneDX 1.6) of the images and the weights.

There are two sources for an image. Before it is built, the lock files say which Python packages pip will install;
Debian's packages come with the base image and are not known. Once it is built, the image itself says what is
installed. The life-cycle phase in each document names its source: pre-build or post-build.
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from pip_requirements_parser import RequirementsFile

from cutgate.worker.models.weights.model import Download, NpmPackage, WeightsFile
from cutgate.worker.models.weights.registry import MODELS
from deploy.supply_chain.audit import ROOT

IMAGES: Final = {
    "gateway": ("gateway",),
    "worker-cpu": ("worker-cpu",),
    "worker-cpu-zoo": ("worker-cpu-zoo",),
    "worker-gpu": ("worker-gpu",),
    "models": ("worker-cpu", "npm"),
    "all-in-one": ("app",),
}
"""The Dockerfile's targets and the lock files that they install; `-zoo` is a target with `WITH_ZOO=1`."""
BASE: Final[str] = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)[0]
_PYTHON: Final = BASE.removeprefix("python:").partition("-")[0]
_FINISH: Final = (ROOT / "deploy/docker/finish.sh").read_text("utf-8")
REMOVED: Final = frozenset(re.findall(r"^pip uninstall --yes --quiet (.+)$", _FINISH, re.MULTILINE)[0].split())
"""Packages that lock files name and every build uninstalls at its end."""
_INSIDE: Final = r"""
import importlib.metadata, json, platform, subprocess
def libraries(package):
    return [path.name for path in package.locate_file(package.name.replace("-", "_") + ".libs").glob("*")]
query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n"]
print(json.dumps({
    "distro": platform.freedesktop_os_release()["VERSION_CODENAME"],
    "debian": subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines(),
    "python": [[each.name, each.version, libraries(each)] for each in importlib.metadata.distributions()],
}))
"""
"""Asks an image for its packages, Debian's and Python's, and for the libraries that come in wheels."""


def of_target(target: str) -> Bom:
    """The SBOM of a target of the Dockerfile, by its lock files."""
    pins = {pin.name: pin for lock in IMAGES[target] for pin in _pins(lock)}
    parts = [pin for name, pin in pins.items() if name not in REMOVED]
    return _image(target, BASE, parts, LifecyclePhase.PRE_BUILD)


def of_image(name: str, base: str, found: dict[str, Any]) -> Bom:
    """The SBOM of a built image, by what `installed` finds in it and the hashes that the lock files accept."""
    pins = {pin.purl: pin for locks in IMAGES.values() for lock in locks for pin in _pins(lock)}
    parts = []
    for package, version, libraries in found["python"]:
        purl = PackageURL("pypi", None, package, version)
        part = pins.get(purl) or _component(purl)
        part.components.update(Component(name=library, bom_ref=f"{purl}#{library}") for library in libraries)
        parts.append(part)
    for package, version, machine in map(str.split, found["debian"]):
        parts.append(
            _component(PackageURL("deb", "debian", package, version, {"arch": machine, "distro": found["distro"]}))
        )
    return _image(name, base, parts, LifecyclePhase.POST_BUILD)


def of_weights() -> Bom:
    """The SBOM of every model in the catalogue, whether an image has it or an operator fetches it."""
    parts = [_weights(model.name, row) for model in MODELS.values() for row in model.files]
    return _bom(Component(name="cutgate-weights", type=ComponentType.DATA), parts, LifecyclePhase.PRE_BUILD)


def base_of(image: str) -> str:
    """The base image of a built image, by its label."""
    label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
    return _output("docker", "image", "inspect", "--format", label, image).strip()


def installed(*python: str) -> dict[str, Any]:
    """What a Python interpreter, here or in a container, finds installed beside it."""
    return dict(json.loads(_output(*python, "-c", _INSIDE)))


def write(bom: Bom, path: Path) -> None:
    """Write an SBOM, with the same bytes every time for the same contents.

    Raises:
        ValueError: it does not keep to CycloneDX's schema.
    """
    version = SchemaVersion.V1_6
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    bom.serial_number = UUID(int=0)
    bom.serial_number = uuid5(NAMESPACE_URL, make_outputter(bom, OutputFormat.JSON, version).output_as_string())
    text = make_outputter(bom, OutputFormat.JSON, version).output_as_string(indent=2)
    if error := JsonStrictValidator(version).validate_str(text):
        raise ValueError(f"{path}: {error}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", "utf-8")


def _image(name: str, base: str, parts: Iterable[Component], phase: LifecyclePhase) -> Bom:
    reference, _, digest = base.partition("@")
    repository, _, tag = reference.partition(":")
    base_image = _component(
        PackageURL("docker", None, repository, digest or tag, {"tag": tag} if digest else None)
    )
    base_image.type = ComponentType.CONTAINER
    base_image.description = "base image" if digest else "base image by its tag: no digest was given"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    root = Component(name=name, version=project["version"], type=ComponentType.CONTAINER)
    root.licenses.add(LicenseFactory().make_from_string(project["license"]))
    return _bom(root, [base_image, *parts], phase)


def _bom(root: Component, parts: list[Component], phase: LifecyclePhase) -> Bom:
    root.bom_ref.value = root.name
    bom = Bom(components=parts, metadata=BomMetaData(component=root, lifecycles=[PredefinedLifecycle(phase)]))
    bom.register_dependency(root, parts)
    return bom


def _pins(lock: str) -> Iterator[Component]:
    """The pins of a lock file that one of the images' two machines installs."""
    python = {"python_version": _PYTHON, "python_full_version": f"{_PYTHON}.99"}  # the tag's is the newest
    machines = [python | {"platform_machine": machine} for machine in ("x86_64", "aarch64")]
    for pin in RequirementsFile.from_file(str(ROOT / "requirements" / f"{lock}.txt")).requirements:
        if not pin.marker or any(map(pin.marker.evaluate, machines)):
            component = _component(PackageURL("pypi", None, pin.name, pin.get_pinned_version))
            component.hashes.update(map(HashTypeFactory().from_composite_str, pin.hash_options))
            yield component


def _component(purl: PackageURL) -> Component:
    return Component(name=purl.name, version=purl.version, purl=purl, bom_ref=str(purl))


def _weights(model: str, row: WeightsFile) -> Component:
    component = Component(name=row.file_name, group=model, type=ComponentType.MACHINE_LEARNING_MODEL)
    component.bom_ref.value, component.description = row.file_name, row.origin
    component.licenses.add(LicenseFactory().make_from_string(row.licence))
    if row.digest:
        component.hashes.add(HashTypeFactory().from_composite_str(row.digest))
    if isinstance(row.source, NpmPackage):
        package, _, version = row.source.spec.rpartition("@")
        scope, _, name = package.rpartition("/")
        component.purl = PackageURL("npm", scope, name, version)
    elif isinstance(row.source, Download):
        url = XsUri(row.source.url)
        component.external_references.add(ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=url))
    return component


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
