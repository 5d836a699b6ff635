"""Networks trained on alpha mattes, and the second stage that refines another network's map.

None of them has been run here: their hosts were out of reach. Digests and sizes are those that two publishers who
ship the same file state independently.
"""

from dataclasses import replace
from typing import Final

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.models.weights.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Download,
    InputFit,
    Model,
    OutputKind,
    WeightsFile,
)


def _birefnet(
    name: str,
    side_px: int,
    origin: str,
    *,
    trained_on: str,
    digest: str | None = None,
    url: str | None = None,
    size_bytes: int | None = None,
) -> Model:
    """One of BiRefNet's weights for matting; as the author's code runs it, its last map is a logit."""
    row = WeightsFile(
        file_name=f"{name}.onnx",
        digest=digest,
        input_px=(side_px, side_px),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        output=OutputKind.LOGIT,
        soft=Soft.ALPHA,
        licence="MIT",
        origin=origin,
        trained_on=trained_on,
        source=Download(url=url) if url else None,
        size_bytes=size_bytes,
    )
    return Model(name=name, files=(row,))


VITMATTE_SMALL: Final = Model(
    name="vitmatte-small",
    files=(
        WeightsFile(
            file_name="vitmatte-small.onnx",
            digest="sha256:a1cf48234c369faa3ea1711981d961fe1ec71f51e593f9d6553aa5a0e7d557e3",
            input_px=(1024, 1024),
            fit=InputFit.FOLLOW,
            multiple_px=32,
            takes_trimap=True,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            output_name="alphas",
            licence="named Apache-2.0; its training set is given for non-commercial use",
            origin="ViTMatte of github.com/hustvl/ViTMatte, exported by huggingface.co/Xenova",
            trained_on="Distinctions-646",
            source=Download(
                url="https://huggingface.co/Xenova/vitmatte-small-distinctions-646/resolve/"
                "da379332422700028fcade44e2cb915b6eed3548/onnx/model.onnx"
            ),
            size_bytes=103_885_865,
        ),
    ),
)

MATTING_MODELS: Final = (
    _birefnet(
        "birefnet-lite-matting",
        1024,
        "BiRefNet_lite-matting of huggingface.co/ZhengPeng7, which holds no ONNX file: export it",
        trained_on="not known here; BiRefNet-matting's sets are P3M-10k, TR-humans, AM-2k, AIM-500, Human-2k, "
        "Distinctions-646, HIM2K and PPM-100",
    ),
    _birefnet(
        "birefnet-hr-matting",
        2048,
        "BiRefNet_HR-matting of github.com/ZhengPeng7/BiRefNet, release v1",
        trained_on="pictures of 2048x2048; its sets are not known here",
        digest="sha256:45b7d92ce0e2e75e1c8a564a9e84c87ac9da7f4315d2deeef3674864e809aef3",
        url="https://github.com/ZhengPeng7/BiRefNet/releases/download/v1/BiRefNet_HR-matting-epoch_135.onnx",
        size_bytes=1_098_928_867,
    ),
    VITMATTE_SMALL,
    replace(ISNET, name="isnet-general-use-vitmatte", refiner=VITMATTE_SMALL.name),
)
