"""The models of rembg's releases, with what rembg's sessions do before and after them.

Two things differ from rembg on purpose. It divides each picture by its brightest value, where the networks were
trained on values divided by 255. And it stretches every map to the full range, so that noise becomes a mask where
there is no subject: here a map is stretched only where the network is sure of something (`_SURE`), and BiRefNet's
log odds are not stretched at all.
"""

from functools import partial
from typing import Final

from cutgate.worker.models.weights.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Channels,
    Download,
    Model,
    OutputKind,
    WeightsFile,
)

_RELEASE: Final = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
_SURE: Final = 0.5
"""These networks end in a sigmoid: where none of their values is half above another, none says subject."""


def _model(
    name: str,
    digest: str,
    released_as: str | None = None,
    *,
    side_px: int,
    output: OutputKind,
    licence: str,
    source: str,
    size_bytes: int,
    std: Channels = IMAGENET_STD,
) -> Model:
    """One model of the release."""
    return Model.of(
        WeightsFile(
            file_name=f"{name}.onnx",
            digest=digest,
            input_px=(side_px, side_px),
            mean=IMAGENET_MEAN,
            std=std,
            output=output,
            least_range=_SURE if output is OutputKind.RANGE else 0.0,
            licence=licence,
            origin=f"{source}, in rembg's release v0.0.0",
            source=Download(url=f"{_RELEASE}/{released_as or name}.onnx"),
            size_bytes=size_bytes,
        )
    )


_u2net: Final = partial(
    _model,
    side_px=320,
    output=OutputKind.RANGE,
    licence="Apache-2.0",
    source="U²-Net of github.com/xuebinqin/U-2-Net",
)
_birefnet: Final = partial(
    _model,
    side_px=1024,
    output=OutputKind.LOGIT,
    licence="MIT",
    source="BiRefNet of github.com/ZhengPeng7/BiRefNet",
    size_bytes=972_666_916,  # with the large backbone, whatever it was trained on
)

REMBG_MODELS: Final = (
    _u2net("u2net", "md5:60024c5c889badc19c04ad937298a77b", size_bytes=175_997_641),
    _u2net("u2netp", "md5:8e83ca70e441ab06c318d82300c84806", size_bytes=4_574_861),
    _u2net("u2net_human_seg", "md5:c09ddc2e0104f800e3e1bb4652583d1f", size_bytes=175_997_641),
    _u2net(
        "silueta",
        "md5:55e59e0d8062d2f5d013f4725ee84782",
        size_bytes=44_173_029,
        licence="not stated; U²-Net is Apache-2.0",
    ),
    _model(
        "isnet-anime",
        "md5:6f184e756bb3bd901c8849220a83e38e",
        side_px=1024,
        output=OutputKind.RANGE,
        licence="not confirmed; named Apache-2.0",
        source="IS-Net of github.com/SkyTNT/anime-segmentation",
        size_bytes=176_069_933,
        std=(1.0, 1.0, 1.0),
    ),
    _birefnet("birefnet-general", "md5:7a35a0141cbbc80de11d9c9a28f52697", "BiRefNet-general-epoch_244"),
    _birefnet(
        "birefnet-general-lite",
        "md5:4fab47adc4ff364be1713e97b7e66334",
        "BiRefNet-general-bb_swin_v1_tiny-epoch_232",
        size_bytes=224_005_088,
    ),
    _birefnet("birefnet-portrait", "md5:c3a64a6abf20250d090cd055f12a3b67", "BiRefNet-portrait-epoch_150"),
    _birefnet("birefnet-dis", "md5:2d4d44102b446f33a4ebb2e56c051f2b", "BiRefNet-DIS-epoch_590"),
    _birefnet("birefnet-hrsod", "md5:c017ade5de8a50ff0fd74d790d268dda", "BiRefNet-HRSOD_DHU-epoch_115"),
    _birefnet("birefnet-cod", "md5:f6d0d21ca89d287f17e7afe9f5fd3b45", "BiRefNet-COD-epoch_125"),
    _birefnet(
        "birefnet-massive",
        "md5:33e726a2136a3d59eb0fdf613e31e3e9",
        "BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420",
    ),
    _model(
        "bria-rmbg",
        "sha256:5b486f08200f513f460da46dd701db5fbb47d79b4be4b708a19444bcd4e79958",
        side_px=1024,
        output=OutputKind.RANGE,
        licence="CC BY-NC 4.0: commercial use needs an agreement with BRIA",
        source="RMBG-2.0 of huggingface.co/briaai/RMBG-2.0",
        size_bytes=1_024_331_469,
    ),
)
