"""A network run by ONNX Runtime: what it is fed, what its output means, and which networks are refused."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.raster.arrays import ByteMask, Bytes
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.processing import Processing
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import Device, EngineName, NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, STEEPNESS, network, tiny_network, write_tiny_model


def dark_square(height_px: int = 200, width_px: int = 300) -> Bytes:
    """White, with a black square in the second quarter of its height and width."""
    image = np.full((height_px, width_px, 3), 255, np.uint8)
    image[height_px // 4 : height_px // 2, width_px // 4 : width_px // 2] = 0
    return image


def changed(settings: NetworkSettings, **values: object) -> NetworkSettings:
    return settings.model_copy(update=values)


def assert_finds_the_square(mask: ByteMask) -> None:
    assert mask.shape == (200, 300)
    assert mask.dtype == np.uint8
    assert mask[75, 110] > 252
    assert mask[150, 250] < 3


@pytest.mark.parametrize("engine", [EngineName.ONNXRUNTIME, EngineName.OPENVINO])
def test_a_network_finds_its_subject_and_names_itself(tiny_settings: NetworkSettings, engine: EngineName) -> None:
    segmenter = load_segmenter(changed(tiny_settings, engine=engine))
    assert (segmenter.model, segmenter.threads) == ("tiny", 1)
    assert segmenter.engine.startswith(f"{engine} ")
    assert segmenter.provider.startswith("CPU")
    assert_finds_the_square(segmenter(dark_square()))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (64, 64), (3, 70), (2000, 31)], ids=str)
def test_pictures_of_any_shape(tiny_settings: NetworkSettings, size: tuple[int, int]) -> None:
    mask = load_segmenter(tiny_settings)(np.zeros((*size, 3), np.uint8))
    assert mask.shape == size
    assert mask.min() > 252


def test_levels_follow_the_rows_normalisation(tiny_settings: NetworkSettings) -> None:
    write_tiny_model(tiny_settings.models_dir, "shifted", mean=[0.2, 0.1, 0.0], std=[0.5, 1.0, 2.0])
    image = np.full((8, 8, 3), (255, 128, 64), np.uint8)
    fed = np.mean([(1 - 0.2) / 0.5, (128 / 255 - 0.1) / 1.0, (64 / 255) / 2.0])
    expected = 1 / (1 + np.exp(-STEEPNESS * (0.5 - fed)))
    mask = load_segmenter(changed(tiny_settings, model="shifted"))(image)
    assert mask == pytest.approx(255 * expected, abs=0.51)


@pytest.mark.parametrize(("raw", "usual"), [(0, 0), (30, 8), (60, 15), (130, 128), (200, 240), (255, 255)])
def test_a_rows_thresholds_become_the_usual_ones(tiny_settings: NetworkSettings, raw: int, usual: int) -> None:
    write_tiny_model(tiny_settings.models_dir, "cautious", thresholds=[200, 60])
    share = np.clip(raw / 255, 1e-4, 1 - 1e-4)
    level = 0.5 - np.log(share / (1 - share)) / STEEPNESS  # what the network makes `raw` of
    image = np.full((8, 8, 3), round(255 * level), np.uint8)
    before = load_segmenter(tiny_settings)(image)
    assert np.abs(before.astype(int) - raw).max() <= 5  # a picture has 256 levels only
    after = load_segmenter(changed(tiny_settings, model="cautious"))(image)
    expected = np.interp(before, [0, 60, 200, 255], [0, 15, 240, 255])
    assert np.abs(after - expected).max() <= 0.5
    assert np.abs(after.astype(int) - usual).max() <= 9


def test_a_row_says_what_its_maps_grey_means(tiny_settings: NetworkSettings) -> None:
    write_tiny_model(tiny_settings.models_dir, "matte", soft="alpha")
    assert load_segmenter(tiny_settings).soft is Soft.DOUBT
    assert load_segmenter(changed(tiny_settings, model="matte")).soft is Soft.ALPHA


@pytest.mark.parametrize("output", ["probability", "logit", "range"])
def test_every_kind_of_output_becomes_a_probability(tiny_settings: NetworkSettings, output: str) -> None:
    write_tiny_model(tiny_settings.models_dir, "other", output=output)
    assert_finds_the_square(load_segmenter(changed(tiny_settings, model="other"))(dark_square()))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (4, 4, 1)], ids=str)
def test_other_arrays_are_refused(tiny_settings: NetworkSettings, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        load_segmenter(tiny_settings)(np.zeros(shape, np.uint8))


@pytest.mark.needs("no gpu")
def test_a_gpu_that_is_not_there_is_refused(tiny_settings: NetworkSettings) -> None:
    with pytest.raises(ModelUnavailable, match="has no CUDA"):
        load_segmenter(changed(tiny_settings, device=Device.GPU))


def test_a_network_for_other_inputs_is_refused_before_any_picture(tiny_settings: NetworkSettings) -> None:
    onnx.save(tiny_network(side_px=32), tiny_settings.models_dir / "tiny.onnx")
    with pytest.raises(ModelUnavailable, match="tiny cannot be run on a picture"):
        load_segmenter(tiny_settings)


FREE: dict[str, Any] = {"input_px": [64, 128], "multiple_px": 32}
"""Members of a row whose network takes pictures of any size."""


@pytest.mark.parametrize("engine", [EngineName.ONNXRUNTIME, EngineName.OPENVINO])
@pytest.mark.parametrize(
    ("fit", "size_px", "seen_px"),
    [
        ("stretch", (200, 300), (64, 128)),
        ("aspect", (200, 300), (64, 96)),  # as tall as it may be, the width by ratio
        ("aspect", (10, 10), (64, 64)),
        ("aspect", (3, 999), (32, 128)),  # no side is less than a multiple
        ("follow", (200, 800), (32, 128)),  # too wide
        ("follow", (40, 90), (32, 96)),  # its own size, in multiples
        ("follow", (1, 1), (32, 32)),
    ],
    ids=str,
)
def test_the_network_sees_the_size_that_its_row_says(
    tiny_settings: NetworkSettings,
    engine: EngineName,
    fit: str,
    size_px: tuple[int, int],
    seen_px: tuple[int, int],
) -> None:
    write_tiny_model(tiny_settings.models_dir, "free", free=True, fit=fit, **FREE)
    segmenter = load_segmenter(changed(tiny_settings, model="free", engine=engine))
    network = segmenter.predict
    assert isinstance(network, NetworkRun)
    image = np.full((*size_px, 3), 255, np.uint8)
    image[: size_px[0] // 2] = 0
    assert network.alone(image)().shape == (1, *seen_px)
    mask = segmenter(image)
    assert mask.shape == size_px
    if size_px[0] >= 40:
        assert mask[: size_px[0] // 2 - 4].min() > 252
        assert mask[size_px[0] // 2 + 4 :].max() < 3


def letterbox(settings: NetworkSettings, engine: EngineName, *, halved: bool = False) -> Segmenter:
    """A network whose map is the padded picture's grey, or that at half the size."""
    write_tiny_model(settings.models_dir, "boxed", fit="letterbox")
    last, side_px = "Identity", SIDE_PX
    if halved:
        last, side_px = "AveragePool <kernel_shape = [2, 2], strides = [2, 2]>", SIDE_PX // 2
    grey = network(
        f"""
        grey (float[1, 3, {SIDE_PX}, {SIDE_PX}] input) => (float[1, 1, {side_px}, {side_px}] map)
        <float[1, 3, 1, 1] third = {{{", ".join([str(1 / 3)] * 3)}}}> {{
            grey = Conv (input, third)
            map = {last} (grey)
        }}
        """
    )
    onnx.save(grey, settings.models_dir / "boxed.onnx")
    return load_segmenter(changed(settings, model="boxed", engine=engine))


@pytest.mark.parametrize("engine", [EngineName.ONNXRUNTIME, EngineName.OPENVINO])
def test_a_letterboxed_picture_lies_at_the_top_left_of_a_black_input(
    tiny_settings: NetworkSettings, engine: EngineName
) -> None:
    segmenter = letterbox(tiny_settings, engine)
    image = np.random.default_rng(5).integers(1, 256, (SIDE_PX, 40), np.uint8)[..., None].repeat(3, axis=2)
    network = segmenter.predict
    assert isinstance(network, NetworkRun)
    fed = network.alone(image)()[0]
    assert fed[:, :40] == pytest.approx(image[..., 0] / 255, abs=5e-3)  # in bf16
    assert not fed[:, 40:].any()
    # At its own size the map is the picture, to the last pixel.
    assert np.abs(segmenter(image).astype(int) - image[..., 0]).max() <= 1


@pytest.mark.parametrize(
    ("size_px", "halved"),
    [
        ((63, 31), False),
        ((1000, 333), False),
        ((5, 3), False),
        ((999, 3), False),
        ((3, 999), False),
        ((1000, 500), True),
        ((33, 500), True),  # 4 of 64 rows, 2 of the map's 32
    ],
    ids=str,
)
def test_no_padding_shows_in_a_letterboxed_map(
    tiny_settings: NetworkSettings, size_px: tuple[int, int], *, halved: bool
) -> None:
    segmenter = letterbox(tiny_settings, EngineName.ONNXRUNTIME, halved=halved)
    mask = segmenter(np.full((*size_px, 3), 255, np.uint8))
    assert mask.shape == size_px
    assert mask.min() == 255


def test_a_range_is_stretched_without_the_padding(tiny_settings: NetworkSettings) -> None:
    write_tiny_model(tiny_settings.models_dir, "ranged", fit="letterbox", output="range", bright=True)
    image = np.full((SIDE_PX, 32, 3), 200, np.uint8)
    image[:, 16:] = 240
    mask = load_segmenter(changed(tiny_settings, model="ranged"))(image)
    assert (mask[:, :15].max(), mask[:, 17:].min()) == (0, 255)


def test_pictures_of_many_sizes_at_once_get_what_they_get_alone(tiny_settings: NetworkSettings) -> None:
    write_tiny_model(tiny_settings.models_dir, "free", free=True, fit="follow", **FREE)
    segmenter = load_segmenter(changed(tiny_settings, model="free"))
    random = np.random.default_rng(7)
    sizes = [tuple(random.integers(1, 200, 2)) for _ in range(30)]
    images = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    expected = list(map(segmenter, images))
    with ThreadPoolExecutor(8) as pool:
        for mask, one in zip(pool.map(segmenter, images), expected, strict=True):
            assert np.array_equal(mask, one)


@pytest.mark.parametrize("fit", ["aspect", "follow"])
def test_a_network_of_one_size_is_refused_as_a_free_one(tiny_settings: NetworkSettings, fit: str) -> None:
    write_tiny_model(tiny_settings.models_dir, "fixed", fit=fit)
    with pytest.raises(ModelUnavailable, match="fixed cannot be run on a picture"):
        load_segmenter(changed(tiny_settings, model="fixed"))


def test_without_a_warm_up_nothing_runs(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[int, ...]] = []
    run = NetworkRun.__call__

    def count(self: NetworkRun, image: Bytes) -> ByteMask:
        runs.append(image.shape)
        return run(self, image)

    monkeypatch.setattr(NetworkRun, "__call__", count)
    segmenter = load_segmenter(tiny_settings, warm_up=False)
    assert runs == []
    assert_finds_the_square(segmenter(dark_square()))
    assert len(runs) == 1


def test_a_graph_that_the_engine_refuses(tiny_settings: NetworkSettings) -> None:
    load_segmenter(tiny_settings)
    (graph,) = tiny_settings.cache_dir.glob("*.onnx")
    graph.write_bytes(b"damaged")
    load_segmenter(tiny_settings)
    assert graph.read_bytes() != b"damaged", "it is made anew"
    name, _, _ = graph.name.partition(".")
    graph.write_bytes(b"no graph")
    refused = graph.rename(graph.with_name(f"{name}.{hashlib.sha256(b'no graph').hexdigest()}.onnx"))
    with pytest.raises(ModelUnavailable, match=refused.name):
        load_segmenter(tiny_settings)


@pytest.mark.long  # importing rembg takes 5 s
def test_rembgs_models(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("rembg")
    # rembg takes a file that lies in its own folder as it is.
    name = "birefnet-general-fp16"
    folder = tmp_path / "rembg/models" / name
    folder.mkdir(parents=True)
    onnx.save(tiny_network(side_px=1024, sigmoid=False), folder / f"{name}.onnx")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "rembg"))
    segmenter = load_segmenter(changed(tiny_settings, model=name))
    assert (segmenter.model, segmenter.provider, segmenter.threads) == (name, "CPUExecutionProvider", 1)
    assert_finds_the_square(segmenter(dark_square()))
    for other, reason in {"no-such-model": "no model is called", "dis_custom": "model_path is required"}.items():
        with pytest.raises(ModelUnavailable, match=reason):
            load_segmenter(changed(tiny_settings, model=other))
    with pytest.raises(ModelUnavailable, match="ONNX Runtime alone"):
        load_segmenter(changed(tiny_settings, model=name, engine=EngineName.OPENVINO))


def test_a_broken_engine_says_so(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cutgate.worker.models.engines.onnxruntime_engine", None)
    with pytest.raises(ModelUnavailable, match=r"the engine cannot be loaded: .*onnxruntime_engine"):
        load_segmenter(tiny_settings)


def test_no_mask_is_refused(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processing, "mask", lambda *_: np.zeros((7, 7), np.uint8))
    with pytest.raises(ModelUnavailable, match="tiny does not give one mask for one picture"):
        load_segmenter(tiny_settings)
