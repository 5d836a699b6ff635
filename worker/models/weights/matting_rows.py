"""Networks trained on alpha mattes, whose map is the cut-out's alpha, and BEN2, whose map is a mask.

None of them has been run here: their hosts were out of reach. Digests, sizes and addresses are those that two
publishers who ship the same file state independently; `withoutbg-4` has its author's alone. Each is fed as its
author's own program does.
"""

from typing import Final

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.models.weights.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Download,
    InputFit,
    Model,
    OutputKind,
    WeightsFile,
)

_AUTHORS: Final = "https://github.com/ZhengPeng7/BiRefNet/releases/download/v1"
_HUB: Final = "https://huggingface.co"
_MATTING_SETS: Final = "P3M-10k, TR-humans, AM-2k, AIM-500, Human-2k, Distinctions-646, HIM2K and PPM-100"


def _birefnet(
    file_name: str,
    side_px: int,
    origin: str,
    *,
    trained_on: str = _MATTING_SETS,
    digest: str | None = None,
    url: str | None = None,
    size_bytes: int | None = None,
) -> WeightsFile:
    """One of BiRefNet's weights for matting; as the author's code runs it, its last map is a logit."""
    return WeightsFile(
        file_name=file_name,
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


def _withoutbg(
    version: str, side_px: int, digest: str, *, url: str | None = None, size_bytes: int | None = None
) -> Model:
    """One of withoutBG's open weights. Those from 10.8 on are three graphs, which cannot be run here."""
    return Model.of(
        WeightsFile(
            file_name=f"withoutbg-{version}.onnx",
            digest=f"sha256:{digest}",
            input_px=(side_px, side_px),
            fit=InputFit.LETTERBOX,
            soft=Soft.ALPHA,
            licence="Apache-2.0, and Meta's DINOv3 licence for a part: read it first",
            origin=f"withoutBG Open Weights {version} of huggingface.co/withoutbg/withoutbg-openweights-onnx",
            trained_on="not known here",
            source=Download(url=url) if url else None,
            size_bytes=size_bytes,
        )
    )


_BEN2: Final = Model.of(
    WeightsFile(
        file_name="ben2-base.onnx",
        digest="sha256:22cea62108ff53b7ccc20f7a008bf30494228d84b1687f29ecbe76936a998101",
        input_px=(1024, 1024),
        # The author's onnx_run.py feeds this file values in [0, 1]; what BEN2.py feeds PyTorch's weights is
        # normalised, and rembg's `ben_custom` takes a half off, for the first BEN.
        output=OutputKind.RANGE,
        least_range=0.5,  # it ends in a sigmoid
        licence="MIT",
        origin="BEN2_Base.onnx of huggingface.co/PramaLLC/BEN2",
        trained_on="DIS5K and 22,000 pictures of the author's own",
        source=Download(
            url=f"{_HUB}/PramaLLC/BEN2/resolve/e48a20765fb421d19dcdb0bf3cc61e802ca5ec8f/BEN2_Base.onnx"
        ),
        size_bytes=222_932_053,
    ),
)

MATTING_MODELS: Final = (
    Model.of(
        _birefnet(
            "birefnet-matting.onnx",
            1024,
            "BiRefNet-matting of github.com/ZhengPeng7/BiRefNet, release v1",
            digest="sha256:6065d27c615ea27308f5b88598dd8db116eb07436c7a323ca40d13b2866c309e",
            url=f"{_AUTHORS}/BiRefNet-matting-epoch_100.onnx",
            size_bytes=972_667_742,
        ),
        _birefnet(
            "birefnet-matting-grid-sample.onnx",
            1024,
            "BiRefNet-matting in the export of huggingface.co/emrikol/birefnet-matting-onnx",
            digest="sha256:f0843e38f6a4e88efc8c5fad4178ad7ed6c818346ce12f82e7b579324fe7e0c5",
            url=f"{_HUB}/emrikol/birefnet-matting-onnx/resolve/0d58d809b3a360b44c556223d2f5812aeace9ba3/birefnet-matting.onnx",
            size_bytes=940_840_787,
        ),
    ),
    Model.of(
        _birefnet(
            "birefnet-lite-matting.onnx",
            1024,
            "BiRefNet_lite-matting of huggingface.co/ZhengPeng7, which holds no ONNX file: export it",
            trained_on=f"not known here; BiRefNet-matting's sets are {_MATTING_SETS}",
        ),
    ),
    Model.of(
        _birefnet(
            "birefnet-hr-matting.onnx",
            2048,
            "BiRefNet_HR-matting of github.com/ZhengPeng7/BiRefNet, release v1",
            trained_on="pictures of 2048x2048; its sets are not known here",
            digest="sha256:45b7d92ce0e2e75e1c8a564a9e84c87ac9da7f4315d2deeef3674864e809aef3",
            url=f"{_AUTHORS}/BiRefNet_HR-matting-epoch_135.onnx",
            size_bytes=1_098_928_867,
        ),
    ),
    _withoutbg("4", 1024, "927adb4f9a4bd498f1ea5620ae1befdcd45dc3e14b2a791f8fb48ddd69662774"),
    _withoutbg(
        "10",
        448,
        "29930e48e9d5ecc56d6486c53c35a4c1470566c2a3359fa180b08c8d3c34ef0f",
        url=f"{_HUB}/withoutbg/withoutbg-openweights-onnx/resolve/cfae4da1ee09b27c45af2af2096d4d14721508ba/withoutbg-open-weights.onnx",
        size_bytes=454_497_726,
    ),
    _BEN2,
)
