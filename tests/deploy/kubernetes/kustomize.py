"""Builds a kustomization as `kubectl kustomize` does, as far as deploy/kubernetes goes: anything else is an error.

Names of generated objects are left without the hash of their contents.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Object = dict[str, Any]


class Unsupported(Exception):
    """A part of kustomize that is not built here, or a mistake that kustomize might pass over."""


def build(folder: Path) -> list[Object]:
    """All objects of a kustomization."""
    objects: list[Object] = []
    _accumulate(folder, objects, kind="Kustomization")
    names = [identity(thing) for thing in objects]
    if len(set(names)) != len(names):
        raise Unsupported(f"objects of one name in {folder}: {sorted(names)}")
    return objects


def identity(thing: Object) -> tuple[str, str]:
    """Kind and name."""
    return thing["kind"], thing["metadata"]["name"]


def pod_spec(thing: Object) -> Object | None:
    """The pod's specification of an object that makes pods."""
    spec: Object | None = thing.get("spec", {}).get("template", {}).get("spec")
    return spec


def _accumulate(folder: Path, objects: list[Object], kind: str) -> None:
    file = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    if file.pop("kind") != kind:
        raise Unsupported(f"{folder} is no {kind}")
    del file["apiVersion"]
    for key in file.keys() - _STEPS.keys():
        raise Unsupported(f"{key} in {folder}")
    for key, step in _STEPS.items():
        if key in file:
            step(folder, objects, file[key])


def _resources(folder: Path, objects: list[Object], paths: list[str]) -> None:
    for path in paths:
        if (folder / path).is_dir():
            objects += build(folder / path)
        else:
            objects += yaml.safe_load_all((folder / path).read_text(encoding="utf-8"))


def _components(folder: Path, objects: list[Object], paths: list[str]) -> None:
    for path in paths:
        _accumulate(folder / path, objects, kind="Component")


def _config_maps(folder: Path, objects: list[Object], generators: list[Object]) -> None:
    for generator in generators:
        name, behavior = generator.pop("name"), generator.pop("behavior", "create")
        lines = generator.pop("literals", [])
        for path in generator.pop("envs", []):
            lines += (folder / path).read_text(encoding="utf-8").splitlines()
        _is_empty(generator)
        data = dict(line.split("=", 1) for line in lines)
        if behavior == "merge":
            (found,) = (thing for thing in objects if identity(thing) == ("ConfigMap", name))
            found["data"] |= data
        elif behavior == "create":
            objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
        else:
            raise Unsupported(f"behavior {behavior}")


def _secrets(folder: Path, objects: list[Object], generators: list[Object]) -> None:
    for generator in generators:
        name, paths = generator.pop("name"), generator.pop("files")
        _is_empty(generator)
        data = {Path(path).name: base64.b64encode((folder / path).read_bytes()).decode() for path in paths}
        head = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}
        objects.append({**head, "metadata": {"name": name}, "data": data})


def _patches(folder: Path, objects: list[Object], patches: list[Object]) -> None:
    for patch in patches:
        path, target = patch.pop("path"), patch.pop("target")
        _is_empty(patch)
        kind, name = target.pop("kind"), target.pop("name", None)
        _is_empty(target)
        found = [thing for thing in objects if thing["kind"] == kind and name in {None, thing["metadata"]["name"]}]
        if not found:
            raise Unsupported(f"nothing to patch with {path} of {folder}")
        for operation in yaml.safe_load((folder / path).read_text(encoding="utf-8")):
            for thing in found:
                _operate(thing, **copy.deepcopy(operation))


def _operate(thing: Object, *, op: str, path: str, value: object) -> None:
    """One operation of RFC 6902."""
    *way, last = path.removeprefix("/").split("/")
    place: Any = thing
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if op == "add" and last == "-" and isinstance(place, list):
        place.append(value)
    elif (op == "add" and last not in place) or (op == "replace" and last in place):
        place[last] = value
    else:
        raise Unsupported(f"{op} {path} in {identity(thing)}")


def _namespace(_: Path, objects: list[Object], namespace: str) -> None:
    for thing in objects:
        thing["metadata"]["name" if thing["kind"] == "Namespace" else "namespace"] = namespace


def _replicas(_: Path, objects: list[Object], rows: list[Object]) -> None:
    for row in rows:
        (found,) = (thing for thing in objects if identity(thing) == ("Deployment", row["name"]))
        found["spec"]["replicas"] = row["count"]


def _images(_: Path, objects: list[Object], rows: list[Object]) -> None:
    containers = [container for thing in objects for container in (pod_spec(thing) or {}).get("containers", [])]
    for row in rows:
        changed = 0
        for container in containers:
            name, _colon, tag = container["image"].partition(":")
            if name == row["name"]:
                container["image"] = f"{row.get('newName', name)}:{row.get('newTag', tag)}"
                changed += 1
        if not changed or not row.keys() <= {"name", "newName", "newTag"}:
            raise Unsupported(f"image {row}")


def _is_empty(left: Object) -> None:
    if left:
        raise Unsupported(f"{sorted(left)}")


_STEPS: Final[Mapping[str, Callable[[Path, list[Object], Any], None]]] = {
    "resources": _resources,
    "components": _components,
    "configMapGenerator": _config_maps,
    "secretGenerator": _secrets,
    "patches": _patches,
    "namespace": _namespace,
    "replicas": _replicas,
    "images": _images,
}
"""In kustomize's order, as far as that matters here."""
