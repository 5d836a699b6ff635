"""Tests of the layers: which folder may import which, and what only one of them may touch.

`python -m tests.test_layers` prints the table of arrows as the code has it, for `tests/arrows.txt`.
"""

import ast
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("cutgate", "signing", "jobs", "gateway", "courier", "worker")
"""Folders of the product; in `cutgate/` lie links to the others."""
Graph = Mapping[str, set[str]]

TABLE = Path(__file__).with_name("arrows.txt")
"""A folder, and behind the colon the folders that it may import; indented lines go on."""


def read_table(text: str) -> dict[str, set[str]]:
    rows = (row.partition(":") for row in text.replace("\n ", " ").splitlines())
    return {folder: set(others.split()) for folder, _, others in rows}


def write_table(found: Graph) -> str:
    rows = (f"{folder}: {' '.join(sorted(others))}" for folder, others in sorted(found.items()) if others)
    return "".join(f"{textwrap.fill(row, 115, subsequent_indent='    ')}\n" for row in rows)


ARROWS: Graph = read_table(TABLE.read_text(encoding="utf-8"))

IMAGE_CODE = {"numpy", "onnxruntime", "PIL", "cv2", "scipy", "cutgate.worker"}


@cache
def own_modules() -> Mapping[str, Path]:
    """The product's modules: files by names, those of packages included."""
    found = {}
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            inside = path.relative_to(ROOT).with_suffix("").parts
            if not (inside[0] == "cutgate" and inside[1] in PARTS):
                name = inside if part == "cutgate" else ("cutgate", *inside)
                found[".".join(name).removesuffix(".__init__")] = path
    return found


def modules(folder: str) -> list[Path]:
    return [path for path in own_modules().values() if path.is_relative_to(ROOT / folder)]


@cache
def imports(path: Path) -> frozenset[str]:
    """Full names of what a module imports, at any depth."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def imports_of(folder: str) -> set[str]:
    return {name for path in modules(folder) for name in imports(path)}


def users(library: str) -> set[str]:
    """The files that import a library."""
    return {
        str(path.relative_to(ROOT))
        for path in own_modules().values()
        if any(name.partition(".")[0] == library for name in imports(path))
    }


def node_of(module: str) -> str:
    """The folder of a module; where processes begin, a module is a node of its own."""
    if module == "cutgate" or module.endswith(".__main__"):
        return module.replace(".", "/") if module != "cutgate" else "cutgate/__init__"
    path = own_modules()[module]
    return str(path.parent.relative_to(ROOT))


def graph() -> dict[str, set[str]]:
    """What each folder imports of the product."""
    known = own_modules()
    found: dict[str, set[str]] = {}
    for module, path in known.items():
        reached = found.setdefault(node_of(module), set())
        for name in imports(path):
            target = name if name in known else name.rpartition(".")[0]
            if name.startswith("cutgate"):
                assert target in known, f"{module} imports {name}"
                reached.add(node_of(target))
    return {node: reached - {node} for node, reached in found.items()}


def wrong(found: Graph) -> list[str]:
    """What is wrong with a graph: arrows that the table has not or has in vain, and a cycle."""
    faults = [
        f"{node} {said} {other}"
        for node in sorted({*found, *ARROWS})
        for said, others in (
            ("may not import", found.get(node, set()) - ARROWS.get(node, set())),
            ("does not import", ARROWS.get(node, set()) - found.get(node, set())),
        )
        for other in sorted(others)
    ]
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        faults.append(f"a circle: {' <- '.join(error.args[1])}")
    return faults


def test_folders_import_along_the_arrows_only() -> None:
    assert wrong(graph()) == []


def test_signing_is_standard_library_only() -> None:
    foreign = {name for name in imports_of("signing") if not name.startswith("cutgate.signing")}
    assert {name.partition(".")[0] for name in foreign} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("library", "inside", "places"),
    [
        ("redis", "jobs", ("jobs/redis_client.py", "jobs/ledger/", "jobs/hints/")),
        ("celery", "", ("jobs/hints/", "worker/process/")),
        ("boto3", "", ("jobs/blobs/s3_",)),
        ("botocore", "", ("jobs/blobs/s3_",)),
        ("onnxruntime", "", ("worker/models/engines/onnxruntime_",)),
        ("openvino", "", ("worker/models/engines/openvino_",)),
        ("opentelemetry", "", ("jobs/observe/otlp.py",)),
        ("httpcore", "", ("courier/",)),
        (
            "httpx",
            "",
            ("courier/", "cutgate/", "worker/models/engines/remote_", "worker/models/weights/download.py"),
        ),
    ],
)
def test_a_library_stays_in_its_places(library: str, inside: str, places: tuple[str, ...]) -> None:
    found = {path for path in users(library) if path.startswith(inside)}
    assert found
    assert {path for path in found if not path.startswith(places)} == set()


def test_the_mathematics_touches_nothing() -> None:
    allowed = {"cutgate", "numpy", "scipy", "cv2"} | {
        "__future__", "abc", "collections", "dataclasses", "enum", "functools", "itertools", "math", "typing"
    }  # fmt: skip
    used = imports_of("worker/cutout")
    assert {name for name in used if name.partition(".")[0] not in allowed} == set()
    pure = ("cutgate.worker.cutout.", "cutgate.jobs.spec.", "cutgate.jobs.errors.")
    assert {name for name in used if name.startswith("cutgate") and not name.startswith(pure)} == set()


FACADES = ("picpik", "rembg", "removebg", "runware")


@pytest.mark.parametrize("facade", FACADES)
def test_the_facades_do_not_know_each_other(facade: str) -> None:
    others = (f"cutgate.gateway.{other}." for other in FACADES if other != facade)
    inner = imports_of(f"gateway/{facade}")
    assert inner
    refused = (*others, "cutgate.gateway.serving.app")
    assert not {name for name in inner if name.startswith(refused)}


def test_gateway_loads_no_image_code() -> None:
    loaded = loaded_by("cutgate.gateway.serving.wsgi", "cutgate.jobs.ledger.ledger", "cutgate.jobs.hints.celery")
    assert IMAGE_CODE.isdisjoint(loaded)
    assert "boto3" not in loaded


def test_the_contract_is_light() -> None:
    loaded = loaded_by("cutgate.jobs.ports", "cutgate.jobs.hints.queue")
    assert {"redis", "celery", "flask", "boto3"}.isdisjoint(loaded)


def loaded_by(*names: str) -> list[str]:
    """The modules that a fresh process has loaded after importing these."""
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.split()


if __name__ == "__main__":
    sys.stdout.write(write_table(graph()))
