"""The house plan's arrows, read from every file's imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED: dict[str, set[str]] = {
    "signing": set(),
    "jobs": set(),
    "keycut": {"signing"},
    "gateway": {"signing", "jobs"},
    "worker": {"jobs"},
}
EDGES = {"celery", "redis", "boto3", "botocore"}
"""Libraries that talk to servers; in `jobs/` each stays in its adapters."""
IMAGE_CODE = {"numpy", "onnxruntime", "PIL", "cv2", "scipy", "worker"}
MAX_LINES = 300


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_along_the_arrows_only(package: str) -> None:
    refused = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in tops(path) & set(ALLOWED) - {package} - ALLOWED[package]
    }
    assert not refused


def test_signing_is_standard_library_only() -> None:
    foreign = {name for path in modules("signing") for name in tops(path)} - set(sys.stdlib_module_names)
    assert foreign == {"signing"}


def test_the_contract_keeps_servers_in_their_adapters() -> None:
    adapters = {"stores", "blobstores", "queues"}
    found = {
        str(path.relative_to(ROOT))
        for path in modules("jobs")
        if path.parent.name not in adapters and tops(path) & EDGES
    }
    assert not found


def test_the_mathematics_touches_nothing() -> None:
    allowed = {"worker", "jobs", "numpy", "scipy", "cv2"} | {
        "__future__", "abc", "collections", "dataclasses", "enum", "functools", "itertools", "math", "typing"
    }  # fmt: skip
    used = {name for path in modules("worker/cutout") for name in imports(path)}
    assert {name for name in used if name.partition(".")[0] not in allowed} == set()
    inner = {name for name in used if name.startswith("worker")}
    assert {name for name in inner if not name.startswith("worker.cutout")} == set()
    assert {name for name in used if name.startswith("jobs")} <= {"jobs.spec", "jobs.errors"}


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_an_engine_is_imported_in_modules_of_its_name(library: str) -> None:
    users = {path for path in modules("worker") if library in tops(path)}
    assert users
    assert {path for path in users if not path.name.startswith(f"{library}_")} == set()


def test_one_module_knows_opentelemetry() -> None:
    users = {path for package in ALLOWED for path in modules(package) if "opentelemetry" in tops(path)}
    assert users == {ROOT / "jobs" / "otlp.py"}


def test_of_the_gateway_only_the_courier_leaves_the_house() -> None:
    clients = {"httpx", "httpcore", "requests", "urllib3"}
    users = {path.parent.name for path in modules("gateway") if tops(path) & clients}
    assert users == {"courier"}
    inner = {name for path in modules("gateway/courier") for name in imports(path)}
    assert not {name for name in inner if name.startswith(("gateway.picpik", "gateway.app"))}


@pytest.mark.parametrize(("facade", "other"), [("picpik", "runware"), ("runware", "picpik")])
def test_the_facades_do_not_know_each_other(facade: str, other: str) -> None:
    inner = {name for path in modules(f"gateway/{facade}") for name in imports(path)}
    assert inner
    assert not {name for name in inner if name.startswith((f"gateway.{other}", "gateway.app"))}


def test_the_playground_is_a_client_like_any() -> None:
    inner = {name for path in modules("gateway/playground") for name in imports(path)}
    assert {name.partition(".")[0] for name in inner}.isdisjoint(ALLOWED)
    users = {path.name for path in modules("gateway") if "gateway.playground.views" in imports(path)}
    assert users == {"app.py"}


@pytest.mark.parametrize("module", ["gateway.wsgi", "gateway.app", "jobs.stores.redis", "jobs.queues.celery"])
def test_gateway_loads_no_image_code(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert IMAGE_CODE.isdisjoint(loaded.stdout.split())
    assert "boto3" not in loaded.stdout.split()


def test_the_contract_is_light() -> None:
    code = "import sys, jobs, jobs.store, jobs.blobs, jobs.queue, jobs.errors; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert {"redis", "celery", "flask", "boto3"}.isdisjoint(loaded.stdout.split())


@pytest.mark.parametrize(
    "path",
    [path for package in (*ALLOWED, "tests", "benchmarks", "examples", "manual") for path in modules(package)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_modules_fit_on_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
