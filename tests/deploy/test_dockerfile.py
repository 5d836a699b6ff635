"""Tests of the Dockerfile and its lock files by their text; `engine/` builds and runs the images."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.compose_model import ROOT

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES: Final = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
SERVICES: Final = ("gateway", "worker-cpu", "worker-gpu", "all-in-one")
IMAGE_LIBRARIES: Final = {"numpy", "scipy", "opencv-python-headless", "pillow", "onnx", "onnxruntime", "openvino"}


def locked(name: str) -> set[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE))


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("target", SERVICES)
def test_a_target_says_who_it_is_and_how_it_is_and_is_not_root(target: str) -> None:
    assert re.findall(r"^USER (.*)$", STAGES[target], re.MULTILINE)[-1] == "10001:10001"
    assert re.search(r"^HEALTHCHECK .* CMD \[", STAGES[target], re.MULTILINE)
    labels = set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", STAGES["base"] + STAGES[target]))
    assert labels >= {"title", "description", "version", "revision", "created", "licenses", "base.name"}


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"ARG VERSION={project['version']}\n" in DOCKERFILE


def test_every_image_is_made_of_a_lock_file_with_hashes() -> None:
    named = set(re.findall(r"requirements/([a-z-]+)\.txt", DOCKERFILE))
    assert named == {"gateway", "worker-cpu", "worker-cpu-zoo", "worker-gpu", "npm", "app"}
    assert DOCKERFILE.count("pip install") == DOCKERFILE.count("--require-hashes") + DOCKERFILE.count("--no-deps")
    assert all(locked(name) for name in named)


def test_what_is_copied_is_there_and_enters_the_context() -> None:
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert let_in[0] == "*"
    assert not {f"!{name}" for name in ("tests", ".git", "secrets", "out", ".venv", ".cutgate")} & set(let_in)
    for path in copied - {"."}:
        assert (ROOT / path).exists(), path
        assert {f"!{path}", f"!{path.partition('/')[0]}"} & set(let_in), path


def test_the_gateway_has_no_image_library_and_a_worker_one_onnxruntime() -> None:
    assert not locked("gateway") & IMAGE_LIBRARIES
    for name in ("worker-cpu", "worker-cpu-zoo", "worker-gpu"):
        runtimes = locked(name) & {"onnxruntime", "onnxruntime-gpu"}
        assert runtimes == {"onnxruntime-gpu" if name == "worker-gpu" else "onnxruntime"}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {
    path: re.findall(r"--extra (\w+)", extras)
    for extras, path in re.findall(
        r"\$\(LOCK\)((?: --extra \w+)+).* -o (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8")
    )
}
"""Each lock's file, with the extras that `make lock` puts into it."""
ENTRY = re.compile(r"^([\w.-]+)(?:\[\S+\])?==([^\s;]+)(.*(?:\n[ \t].*)*)", re.MULTILINE)
DIRECT = f"{PROJECT['name']} (pyproject.toml)"


def entries(path: str) -> Iterator[tuple[str, str, str]]:
    """Name and version of every pin, and the lines below it."""
    for name, version, rest in ENTRY.findall((ROOT / path).read_text(encoding="utf-8")):
        yield canonicalize_name(name), version, rest


def wanted(extras: list[str]) -> dict[str, list[Requirement]]:
    """What a lock with these extras has to hold, by name."""
    optional = PROJECT["optional-dependencies"]
    found: dict[str, list[Requirement]] = {}
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in optional[extra])]:
        found.setdefault(canonicalize_name(Requirement(text).name), []).append(Requirement(text))
    return found


def test_every_file_is_one_that_is_made() -> None:
    assert {f"requirements/{path.name}" for path in (ROOT / "requirements").iterdir()} == set(LOCKS)


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_pins_what_is_asked_for_and_nothing_that_no_longer_is(path: str) -> None:
    asked = wanted(LOCKS[path])
    pinned = {name: version for name, version, rest in entries(path) if DIRECT in rest}
    assert set(pinned) == set(asked), "run make lock"
    assert not [
        f"{name} {pinned[name]} is not {requirement.specifier}"
        for name, requirements in asked.items()
        for requirement in requirements
        if not requirement.specifier.contains(pinned[name], prereleases=True)
    ]


@pytest.mark.parametrize("path", LOCKS)
def test_every_pin_has_its_hashes_and_none_says_where_it_was_found(path: str) -> None:
    pins = list(entries(path))
    assert pins
    assert not [name for name, _, rest in pins if "--hash=sha256:" not in rest]
    assert "://" not in (ROOT / path).read_text(encoding="utf-8")


def test_locks_agree_on_versions() -> None:
    versions: dict[str, set[str]] = {}
    for path in LOCKS:
        for name, version, _ in entries(path):
            versions.setdefault(name, set()).add(version)
    conditional = {name for path in LOCKS for name, _, rest in entries(path) if rest.startswith(" ;")}
    assert not {name: found for name, found in versions.items() if len(found) > 1 and name not in conditional}
