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
    "cutgate": {"signing"},
    "gateway": {"signing", "jobs", "courier"},
    "courier": {"gateway", "jobs"},
    "worker": {"jobs"},
}
EDGES = {"celery", "redis", "boto3", "botocore"}
"""Libraries that talk to servers; in `jobs/` each stays in its adapters."""
IMAGE_CODE = {"numpy", "onnxruntime", "PIL", "cv2", "scipy", "cutgate.worker"}


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if not linked(path.relative_to(ROOT).parts))


def linked(parts: tuple[str, ...]) -> bool:
    """Whether a file is reached by one of the links in `cutgate/`."""
    return len(parts) > 2 and parts[0] == "cutgate" and parts[1] in ALLOWED


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (own(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield from {own(f"{node.module}.{alias.name}") for alias in node.names}


def own(name: str) -> str:
    """A module's name without the package's, where it belongs to a part: `cutgate.jobs.ids` is `jobs.ids`."""
    top, _, rest = name.partition(".")
    return rest if top == "cutgate" and rest.partition(".")[0] in ALLOWED else name


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
    adapters = {"redis", "s3", "hints", "memory"}
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
    assert all(name.startswith(("jobs.spec.", "jobs.errors.")) for name in used if name.startswith("jobs"))


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_an_engine_is_imported_in_modules_of_its_name(library: str) -> None:
    users = {path for path in modules("worker") if library in tops(path)}
    assert users
    assert {path for path in users if not path.name.startswith(f"{library}_")} == set()


def test_one_module_knows_opentelemetry() -> None:
    users = {path for package in ALLOWED for path in modules(package) if "opentelemetry" in tops(path)}
    assert users == {ROOT / "jobs" / "observe" / "otlp.py"}


def test_only_the_courier_fetches() -> None:
    clients = {"httpx", "httpcore", "requests", "urllib3"}
    assert not {str(path) for path in modules("gateway") if tops(path) & clients}
    inner = {name for path in modules("courier") for name in imports(path)}
    assert not {name for name in inner if name.startswith(("gateway.picpik", "gateway.serving"))}


@pytest.mark.parametrize(("facade", "other"), [("picpik", "runware"), ("runware", "picpik")])
def test_the_facades_do_not_know_each_other(facade: str, other: str) -> None:
    inner = {name for path in modules(f"gateway/{facade}") for name in imports(path)}
    assert inner
    assert not {name for name in inner if name.startswith((f"gateway.{other}", "gateway.serving.app"))}


def test_the_playground_is_a_client_like_any() -> None:
    inner = {name for path in modules("gateway/playground") for name in imports(path)}
    assert {name.partition(".")[0] for name in inner}.isdisjoint(ALLOWED)
    users = {
        path.name
        for path in modules("gateway")
        if any(name.startswith("gateway.playground.views.") for name in imports(path))
    }
    assert users == {"app.py"}


@pytest.mark.parametrize("module", ["gateway.serving.wsgi", "jobs.ledger.redis.ledger", "jobs.hints.celery"])
def test_gateway_loads_no_image_code(module: str) -> None:
    loaded = loaded_by(f"cutgate.{module}")
    assert IMAGE_CODE.isdisjoint(loaded)
    assert "boto3" not in loaded


def test_the_contract_is_light() -> None:
    loaded = loaded_by("cutgate.jobs.ledger.store", "cutgate.jobs.blobs.store", "cutgate.jobs.hints.queue")
    assert {"redis", "celery", "flask", "boto3"}.isdisjoint(loaded)


def loaded_by(*modules: str) -> list[str]:
    """The modules that a fresh process has loaded after importing these."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.split()
