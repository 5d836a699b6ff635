"""Builds a kustomization as `kubectl kustomize` does, as far as deploy/kubernetes goes: anything else is an error.

Names of generated objects are left without the hash of their contents. `test_kustomize.py` compares with kubectl.
"""

import base64
import copy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Object = dict[str, Any]


def build(folder: Path) -> list[Object]:
    objects: list[Object] = []
    _accumulate(folder, objects, kind="Kustomization")
    names = [identity(thing) for thing in objects]
    assert len(set(names)) == len(names), f"objects of one name in {folder}: {sorted(names)}"
    return objects


def identity(thing: Object) -> tuple[str, str]:
    return thing["kind"], thing["metadata"]["name"]


def pod_spec(thing: Object) -> Object | None:
    spec: Object | None = thing.get("spec", {}).get("template", {}).get("spec")
    return spec


def _accumulate(folder: Path, objects: list[Object], kind: str) -> None:
    file = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    assert file.pop("kind") == kind, folder
    del file["apiVersion"]
    assert file.keys() <= {"resources", "components", "namespace", *_ROWS}, folder
    for path in file.get("resources", []):
        if (folder / path).is_dir():
            objects += build(folder / path)
        else:
            objects += yaml.safe_load_all((folder / path).read_text(encoding="utf-8"))
    for path in file.get("components", []):
        _accumulate(folder / path, objects, kind="Component")
    for key, step in _ROWS.items():
        for row in file.get(key, []):
            step(folder, objects, **row)  # a field that is not known here is an error
    if "namespace" in file:
        for thing in objects:
            thing["metadata"]["name" if thing["kind"] == "Namespace" else "namespace"] = file["namespace"]


def _config_map(
    folder: Path,
    objects: list[Object],
    name: str,
    behavior: str = "create",
    literals: Iterable[str] = (),
    envs: Iterable[str] = (),
    files: Iterable[str] = (),
) -> None:
    lines = [*literals, *(line for path in envs for line in (folder / path).read_text("utf-8").splitlines())]
    data = dict(line.split("=", 1) for line in lines)
    data |= {Path(path).name: (folder / path).read_text("utf-8") for path in files}
    if behavior == "create":
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
    else:
        assert behavior == "merge"
        (found,) = (thing for thing in objects if identity(thing) == ("ConfigMap", name))
        found["data"] |= data


def _secret(folder: Path, objects: list[Object], name: str, files: Iterable[str]) -> None:
    named = [(name or Path(path).name, path) for name, _, path in (file.rpartition("=") for file in files)]
    data = {name: base64.b64encode((folder / path).read_bytes()).decode() for name, path in named}
    head = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}
    objects.append({**head, "metadata": {"name": name}, "data": data})


def _patch(folder: Path, objects: list[Object], path: str, target: Object) -> None:
    found = [thing for thing in objects if target.items() <= {"kind": thing["kind"], **thing["metadata"]}.items()]
    assert found, f"nothing to patch with {path} of {folder}"
    for operation in yaml.safe_load((folder / path).read_text(encoding="utf-8")):
        for thing in found:
            _operate(thing, **copy.deepcopy(operation))


def _operate(thing: Object, *, op: str, path: str, value: object) -> None:
    *way, last = path.removeprefix("/").split("/")
    place: Any = thing
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if op == "add" and last == "-" and isinstance(place, list):
        place.append(value)
    else:
        assert op in {"add", "replace"}
        assert (last in place) is (op == "replace"), f"{op} {path} in {identity(thing)}"
        place[last] = value


def _replicas(_: Path, objects: list[Object], name: str, count: int) -> None:
    (found,) = (thing for thing in objects if identity(thing) == ("Deployment", name))
    found["spec"]["replicas"] = count


def _image(_: Path, objects: list[Object], name: str, **changes: str) -> None:
    assert changes.keys() <= {"newName", "newTag"}
    specs = [pod_spec(thing) or {} for thing in objects]
    containers = [one for spec in specs for kind in ("initContainers", "containers") for one in spec.get(kind, [])]
    named = [container for container in containers if container["image"].partition(":")[0] == name]
    assert named, f"no container has the image {name}"
    for container in named:
        tag = container["image"].partition(":")[2]
        container["image"] = f"{changes.get('newName', name)}:{changes.get('newTag', tag)}"


_ROWS: Final[Mapping[str, Callable[..., None]]] = {
    "configMapGenerator": _config_map,
    "secretGenerator": _secret,
    "patches": _patch,
    "replicas": _replicas,
    "images": _image,
}
"""In kustomize's order, as far as that matters here."""
