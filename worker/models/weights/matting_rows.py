"""Networks trained on alpha mattes: their map is the cut-out's alpha.

None of them has been run here: their hosts were out of reach. Digests and sizes are those that two publishers who
ship the same file state independently.
"""

from typing import Final

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.models.weights.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Download,
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
)
