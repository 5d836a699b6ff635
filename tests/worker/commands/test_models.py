"""`python -m cutgate.worker models`, as an operator types it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cutgate.worker.__main__ import main
from cutgate.worker.models.weights.registry import MODELS
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import write_tiny_model


@pytest.fixture(autouse=True)
def models_dir(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    values = {
        "CUTGATE_MODEL": tiny_settings.model,
        "CUTGATE_MODELS_DIR": tiny_settings.models_dir,
        "CUTGATE_CACHE_DIR": tiny_settings.cache_dir,
        "CUTGATE_ENGINE": tiny_settings.engine,
        "CUTGATE_THREADS": 1,
        "U2NET_HOME": tmp_path / "rembg",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return tiny_settings.models_dir


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("models", *arguments))


def listed() -> dict[str, dict[str, Any]]:
    result = run("list", "--json")
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)}


class TestList:
    def test_every_model_with_what_is_known_of_it(self, models_dir: Path) -> None:
        rows = listed()
        assert [*rows] == [*MODELS, "tiny"]
        assert rows["birefnet-general"] == {
            "name": "birefnet-general",
            "presets": ["best"],
            "precisions": ["exact"],
            "input_px": [1024, 1024],
            "input_label": "1024x1024",
            "licence": "MIT",
            "source": "BiRefNet of github.com/ZhengPeng7/BiRefNet, in rembg's release v0.0.0",
            "trained_on": None,
            "fetched_from": "https://github.com/danielgatis/rembg/releases/download/v0.0.0/BiRefNet-general-epoch_244.onnx",
            "runs_through": "built in",
            "file": "birefnet-general.onnx",
            "size_bytes": 972_666_916,
            "download_bytes": 972_666_916,
            "state": "absent",
            "path": None,
            "detail": "",
        }
        default = rows["isnet-general-use"]
        assert (default["presets"], default["precisions"]) == (["fast", "exact"], ["exact", "fast"])
        assert default["download_bytes"] > default["size_bytes"]
        tiny = models_dir / "tiny.onnx"
        expected = {
            "runs_through": "models folder",
            "state": "unchecked",
            "path": str(tiny),
            "size_bytes": tiny.stat().st_size,
            "download_bytes": None,
        }
        assert rows["tiny"].items() >= expected.items()

    def test_for_people(self) -> None:
        lines = run("list").stdout.splitlines()
        columns = ["model", "here", "size", "input", "precisions", "presets", "licence", "source"]
        assert lines[0].split() == columns
        (bria,) = (line for line in lines if line.startswith("bria-rmbg "))
        assert "no " in bria
        assert "1024 MB" in bria
        assert "CC BY-NC 4.0: commercial use needs an agreement with BRIA  " in bria
        assert "  RMBG-2.0 of" in bria
        assert lines[-1].index("Apache-2.0") == lines[0].index("licence")

    def test_a_damaged_file_is_told(self, models_dir: Path) -> None:
        (models_dir / "u2netp.onnx").write_bytes(b"half of it")
        row = listed()["u2netp"]
        assert (row["state"], row["size_bytes"]) == ("damaged", 10)
        assert "its md5 is" in row["detail"]

    def test_a_whole_file_counts_beside_a_damaged_one(self, models_dir: Path) -> None:
        digest = hashlib.sha256((models_dir / "tiny.onnx").read_bytes()).hexdigest()
        write_tiny_model(models_dir, "right", sha256=digest)
        assert listed()["right"]["state"] == "whole"

    def test_a_malformed_row_hides_no_other(self, models_dir: Path) -> None:
        (models_dir / "broken.json").write_text("{}", encoding="utf-8")
        result = run("list", "--json")
        assert "broken.json does not describe a model" in result.stderr
        assert json.loads(result.stdout)[-1]["name"] == "tiny"


class TestFetch:
    def test_what_the_worker_offers(self, tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        write_tiny_model(tiny_settings.models_dir, "other", bright=True)
        monkeypatch.setenv("CUTGATE_WORKER_MODELS", "tiny, other:exact")
        result = run("fetch")
        assert result.exit_code == 0, result.output
        assert [line.rpartition("/")[2] for line in result.stdout.splitlines()] == [
            "tiny.onnx is ready",
            "other.onnx is ready",
        ]
        assert len([*tiny_settings.cache_dir.glob("*.onnx")]) == 2

    def test_what_is_named_in_both_forms(self, models_dir: Path) -> None:
        path = models_dir / f"{write_tiny_model(models_dir, 'other')}.onnx"
        assert run("fetch", "other").stdout == f"{path} is ready\n"
        ready = json.loads(run("fetch", "other", "--json").stdout)
        assert ready == [{"model": "other", "precision": "exact", "path": str(path)}]

    def test_what_is_missing_is_told(self, models_dir: Path) -> None:
        (models_dir / "tiny.onnx").unlink()
        result = run("fetch")
        assert result.exit_code == 1
        assert "tiny.onnx: not there" in result.stderr

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("tiny:fast", "tiny has no table of activation ranges"),
            *((name, "must be a preset (fast, exact, best), a model") for name in ("a/b", "tiny:slow", ":exact")),
        ],
    )
    def test_a_name_or_precision_that_there_is_not(self, name: str, said: str) -> None:
        result = run("fetch", name)
        assert (result.exit_code, said in result.stderr) == (1, True)


class TestVerify:
    def test_what_is_here_is_well(self, models_dir: Path) -> None:
        digest = hashlib.sha256((models_dir / "tiny.onnx").read_bytes()).hexdigest()
        write_tiny_model(models_dir, "right", sha256=digest)
        result = run("verify")
        assert result.exit_code == 0
        assert f"ok    {models_dir / 'right.onnx'}: sha256:{digest}\n" in result.stdout
        assert f"ok    {models_dir / 'tiny.onnx'}: no digest in its row" in result.stdout
        assert "u2netp" not in result.stdout

    def test_a_damaged_file(self, models_dir: Path) -> None:
        (models_dir / "u2netp.onnx").write_bytes(b"half of it")
        for result in (run("verify"), run("verify", "u2netp")):
            assert result.exit_code == 1
            assert "u2netp.onnx: damaged, its md5 is" in result.stdout
            assert "run `cutgate models fetch u2netp`" in result.stdout
        result = run("verify", "--json")
        verdicts = {verdict["model"]: verdict for verdict in json.loads(result.stdout)}
        assert (result.exit_code, verdicts["tiny"]["ok"], verdicts["u2netp"]["ok"]) == (1, True, False)
        assert "models fetch u2netp" in verdicts["u2netp"]["remedy"]

    def test_an_operators_own_that_changed(self, models_dir: Path) -> None:
        write_tiny_model(models_dir, "mine", sha256="0" * 64)
        result = run("verify", "mine")
        assert result.exit_code == 1
        assert "correct the digest in its row" in result.stdout

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("u2netp", "not here; run `cutgate models fetch u2netp`"),
            ("no-such", "rembg fetches, keeps and checks"),
        ],
    )
    def test_one_that_is_named_must_be_here(self, name: str, reason: str) -> None:
        result = run("verify", name)
        assert result.exit_code == 1
        assert reason in result.stdout
