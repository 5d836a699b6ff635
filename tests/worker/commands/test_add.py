"""`models add` and `remove`: what is checked of a file of weights; a refused one leaves nothing behind."""

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

from cutgate.worker.__main__ import main
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.registry import MODELS
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, network, tiny_network, write_tiny_model

LITE = "birefnet-lite-matting"


@pytest.fixture(autouse=True)
def models_dir(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds the rows `mine` and `odds`, and no weights."""
    folder = tiny_settings.models_dir
    for name in ("models_dir", "cache_dir", "engine", "threads"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))
    write_tiny_model(folder, "mine")
    write_tiny_model(folder, "odds", output="logit")
    for path in folder.glob("*.onnx"):
        path.unlink()
    (folder / "tiny.json").unlink()
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved(tiny_network(), tmp_path)


def saved(model: Any, folder: Path) -> Path:
    path = folder / "download.onnx"
    onnx.save(model, path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ("models", *map(str, arguments)))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_without_a_known_digest_is_tried_copied_and_remembered(
    file: Path, models_dir: Path, tiny_settings: NetworkSettings
) -> None:
    result = run("add", file, "--as", "mine")
    assert result.exit_code == 0, result.output
    final = models_dir / "mine.onnx"
    assert f"SHA-256 {sha256(file)}\nlicence: Apache-2.0\n" in result.stdout
    assert (
        f"takes input float[1, 3, {SIDE_PX}, {SIDE_PX}]; gives mask float[1, 1, {SIDE_PX}, {SIDE_PX}]\n"
        in result.stdout
    )
    assert f"{final} is ready: set CUTGATE_MODEL=mine, or use --model mine\n" in result.stdout
    assert {path.name for path in models_dir.iterdir()} == {
        "mine.json",
        "odds.json",
        "mine.onnx",
        "mine.onnx.sha256",
    }
    assert not tiny_settings.cache_dir.exists()

    mine = tiny_settings.model_copy(update={"model": "mine"})
    assert load_segmenter(mine).model == "mine"
    assert f"ok    {final}: sha256:{sha256(file)}" in run("verify", "mine").stdout
    final.write_bytes(final.read_bytes() + b"\n")
    assert "damaged" in run("verify", "mine").stdout
    with pytest.raises(ModelUnavailable, match="damaged"):
        load_segmenter(mine)


def test_another_file_takes_its_place_only_once_it_is_removed(file: Path, models_dir: Path) -> None:
    assert run("add", file, "--as", "mine").exit_code == 0
    assert run("add", file, "--as", "mine").exit_code == 0
    before = sha256(file)
    saved(tiny_network(bright=True), file.parent)
    result = run("add", file, "--as", "mine")
    assert (result.exit_code, "mine.onnx is another file: run `cutgate models remove mine`" in result.stderr) == (
        1,
        True,
    )
    assert sha256(models_dir / "mine.onnx") == before

    removed = [f"{models_dir / name} is removed\n" for name in ("mine.onnx", "mine.onnx.sha256")]
    assert run("remove", "mine").stdout == "".join(removed)
    assert {path.name for path in models_dir.iterdir()} == {"mine.json", "odds.json"}
    result = run("remove", "mine")
    assert (result.exit_code, "mine: not in" in result.stderr) == (1, True)
    added = json.loads(run("add", file, "--as", "mine", "--json").stdout)
    assert (added["model"], added["sha256"]) == ("mine", sha256(file))
    assert added["sample"].startswith("the sample picture: ")


def test_a_known_digest_says_what_model_it_is(file: Path, models_dir: Path) -> None:
    (models_dir / "broken.json").write_text("{}", encoding="utf-8")
    facts = json.loads((models_dir / "mine.json").read_bytes()) | {"sha256": sha256(file)}
    (models_dir / "known.json").write_text(json.dumps(facts), encoding="utf-8")
    result = run("add", file)
    assert result.exit_code == 0, result.output
    assert (models_dir / "known.onnx").read_bytes() == file.read_bytes()
    assert not (models_dir / "known.onnx.sha256").exists()


def test_a_files_own_name_counts_for_a_model_without_digest(file: Path, models_dir: Path) -> None:
    assert run("add", file.rename(file.with_name("mine.onnx"))).exit_code == 0
    assert (models_dir / "mine.onnx").exists()


def test_a_built_in_model_without_digest(tmp_path: Path, models_dir: Path) -> None:
    (row,) = MODELS[LITE].files
    export = network(
        """
        lite (float[1, 3, 1024, 1024] input_image) => (float[1, 1, 1024, 1024] output_image)
        <float[1, 3, 1, 1] weight = {2.0, -1.0, -1.0}> {
            output_image = Conv (input_image, weight)
        }
        """
    )
    result = run("add", saved(export, tmp_path), "--as", LITE)
    assert result.exit_code == 0, result.output
    assert (models_dir / f"{row.file_name}.sha256").exists()


def graph(inputs: str, outputs: str, body: str) -> Any:
    weight = f"float[1, 3, 1, 1] weight = {{{', '.join(['-3.0'] * 3)}}}"
    return network(f"odd ({inputs}) => ({outputs}) <{weight}, float[1] half = {{0.5}}> {{{body}}}")


PICTURE = f"float[1, 3, {SIDE_PX}, {SIDE_PX}] input"
MAP = f"float[1, 1, {SIDE_PX}, {SIDE_PX}] mask"
SIDE = "odds = Conv (input, weight)\n mask = Sigmoid (odds)"
REFUSED: dict[str, tuple[str, Any, str]] = {
    "a digest that is another": ("u2netp", tiny_network(), "and u2netp md5:8e83ca70e441ab06c318d82300c84806"),
    "a model that there is not": ("absent", tiny_network(), "there is no model absent: take one of"),
    "another size": (
        "mine",
        tiny_network(side_px=32),
        f"takes another size than its row has, {SIDE_PX}x{SIDE_PX}",
    ),
    "two inputs": (
        "mine",
        graph(f"{PICTURE}, float[1] more", MAP, "odds = Conv (input, weight)\n mask = Add (odds, more)"),
        "has 2 inputs",
    ),
    "four channels": (
        "mine",
        graph(f"float[1, 4, {SIDE_PX}, {SIDE_PX}] input", MAP, "mask = Identity (input)"),
        "does not take one picture as (1, 3, height, width)",
    ),
    "integers": (
        "mine",
        graph(PICTURE.replace("float", "uint8"), MAP, "real = Cast <to = 1> (input)\n mask = Conv (real, weight)"),
        "takes no floats",
    ),
    "several outputs": (
        "mine",
        graph(PICTURE, f"{MAP}, {MAP.replace('mask', 'odds')}", SIDE),
        "has several outputs: set `output_name`",
    ),
    "three maps": (
        "mine",
        graph(PICTURE, PICTURE.replace("input", "mask"), "mask = Identity (input)"),
        "cannot be run",
    ),
    "no numbers": (
        "mine",
        graph(PICTURE, MAP, "odds = Conv (input, weight)\n root = Sqrt (odds)\n mask = Add (root, half)"),
        "has values that are no numbers",
    ),
    "one number": (
        "mine",
        graph(PICTURE, MAP, "odds = Conv (input, weight)\n none = Sub (odds, odds)\n mask = Add (none, half)"),
        "is 0.5 everywhere",
    ),
    "log odds": (
        "mine",
        graph(PICTURE, MAP, "mask = Conv (input, weight)"),
        "no probabilities: set `output` to logit",
    ),
    "probabilities": ("odds", tiny_network(), "no log odds: set `output` to probability"),
    "no subject": ("mine", graph(PICTURE, MAP, SIDE), "it takes 0% as the subject"),
}


@pytest.mark.parametrize(("name", "model", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_nothing_behind(
    name: str, model: Any, said: str, tmp_path: Path, models_dir: Path, tiny_settings: NetworkSettings
) -> None:
    before = set(models_dir.iterdir())
    result = run("add", saved(model, tmp_path), "--as", name)
    assert (result.exit_code, said in result.stderr) == (1, True), result.output
    assert set(models_dir.iterdir()) == before
    assert not tiny_settings.cache_dir.exists()


@pytest.mark.parametrize("content", [b"no network", b"", b"\0" * 1000], ids=["text", "nothing", "zeros"])
def test_another_kind_of_file(content: bytes, tmp_path: Path, models_dir: Path) -> None:
    path, before = tmp_path / "mine.onnx", set(models_dir.iterdir())
    path.write_bytes(content)
    result = run("add", path)
    assert result.exit_code == 1
    assert "mine.onnx is not an ONNX file" in result.stderr or "has 0 inputs" in result.stderr
    assert set(models_dir.iterdir()) == before


def test_weights_in_other_files(tmp_path: Path) -> None:
    model = tiny_network()
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    result = run("add", saved(model, tmp_path), "--as", "mine")
    assert (result.exit_code, "keeps its weights in other files" in result.stderr) == (1, True), result.output


def test_a_digest_that_nobody_knows(file: Path) -> None:
    result = run("add", file)
    assert (result.exit_code, "which no model has: say what it is with `--as MODEL`" in result.stderr) == (1, True)


def test_a_folder_that_cannot_be_made(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_bytes(b"")
    monkeypatch.setenv("CUTGATE_MODELS_DIR", str(tmp_path / "taken" / "models"))
    result = run("add", file, "--as", LITE)
    assert (result.exit_code, "taken" in result.stderr) == (1, True)
