"""What reads pictures is given damaged ones and bombs: the gateway, the worker's decoders, whole jobs."""

import io
import random
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from cutgate.jobs.errors import CutoutError, DecodingStopped, SourceRejected, SourceUndecodable
from cutgate.jobs.pictures.headers import inspect
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.cut_out import cut_out
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.pictures.decoder import DECODE_SECONDS, Decoder
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import FORMATS, read_image
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.gateway.harness import make_settings
from tests.hostile.mutation import damaged
from tests.hostile.pictures.bombs import bomb
from tests.hostile.pictures.seeds import seeds, with_check_sums
from tests.hostile.trials import Trial
from tests.pictures.tiny_network import write_tiny_model
from tests.worker.pictures.harmful_decoder import ESCAPES_PX, NONE

LIMITS: Final = make_settings().source_limits()
"""What pictures may be by default."""
DEEP_LIMITS: Final = replace(LIMITS, max_pixels=LIMITS.max_pixels // 2)
"""Where 16 bits are kept, which is off by default, twice the memory for a pixel is right."""
_CUT_OUT_LIMITS: Final = replace(LIMITS, max_pixels=2**20)
"""A large picture's cut-out takes seconds by right."""
_REAL: Final = "cutgate.worker.pictures.decoder"
_HARMFUL: Final = "tests.worker.pictures.harmful_decoder"
_WORDS: Final = (
    *b"IHDR IDAT PLTE iCCP acTL fcTL tRNS eXIf VP8X VP8L ANMF ALPH".split(),
    *b"meta iloc ipma ispe grid iref idat hvcC av1C".split(),
    *(b"\xff\xd8", b"\xff\xda", b"\xff\xc4", b"\xff\xdb", b"\xff\xc2", b"\xff\xdd\0\4", b"\x21\xf9\4", b"\x2c"),
    *(b"II*\0", b"MM\0*", b"Exif\0\0"),
)


class Picture(NamedTuple):
    """A file, and whether its 16 bits are to be kept."""

    data: bytes
    deep: bool


def _data_of(picture: Picture) -> bytes:
    return picture.data


def make_damaged(chance: random.Random, number: int) -> Picture:
    sound = list(seeds().values())
    data = damaged(chance.choice(sound), sound, _WORDS, chance)
    return Picture(with_check_sums(data) if chance.random() < 0.7 else data, deep=number % 4 == 0)


def make_bomb(chance: random.Random, number: int) -> Picture:
    return Picture(bomb(chance, number), deep=chance.random() < 0.25)


def enter_picture(picture: Picture) -> None:
    """Look at it as the gateway does, and decode it as the worker does even where the gateway refuses it."""
    with suppress(SourceRejected):
        inspect(picture.data, LIMITS)
    read_image(picture.data, DEEP_LIMITS if picture.deep else LIMITS, keep_16_bit=picture.deep)


def enter_cut_out(picture: Picture) -> None:
    """Read it, cut it out and write the result."""
    source = read_image(picture.data, _CUT_OUT_LIMITS, keep_rgb_profile=picture.deep, keep_16_bit=picture.deep)
    spec = CutoutSpec(model="tiny", refinement=Refinement.ON)
    finish(cut_out(source, spec, _network(), lambda: None), Finish.of(spec))


@cache
def _network() -> Segmenter:
    with tempfile.TemporaryDirectory(prefix="cutgate-") as folder:
        models_dir = Path(folder)
        return load_segmenter(
            NetworkSettings(
                model=write_tiny_model(models_dir),
                engine=EngineName.ONNXRUNTIME,
                models_dir=models_dir,
                cache_dir=models_dir / "graphs",
                threads=1,
            )
        )


def enter_decoder(picture: Picture) -> None:
    """Have it decoded as the worker does, in a process of its own, which may not end by itself."""
    try:
        _decoder(_REAL).read_image(picture.data, LIMITS, keep_16_bit=picture.deep)
    except DecodingStopped as error:
        if "takes longer" not in str(error):  # as it does on a machine that others use
            raise AssertionError from error


def make_escape(_chance: random.Random, number: int) -> Picture:
    """A picture of each format that has taken its decoder over."""
    file, colour = io.BytesIO(), Image.new("RGB", (ESCAPES_PX, 30), "red")
    colour.save(file, list(FORMATS.values())[number % len(FORMATS)])
    return Picture(file.getvalue(), deep=False)


def enter_escape(picture: Picture) -> None:
    """Look for ways out of the decoder's process, which is confined as by default."""
    found = ""
    try:
        _decoder(_HARMFUL).read_image(picture.data, LIMITS)
    except SourceUndecodable as error:
        found = str(error)
    assert found == NONE, found


@cache
def _decoder(module: str) -> Decoder:
    return Decoder(DECODE_SECONDS, 1536 * 2**20, module=module)


def make_for_cut_out(chance: random.Random, number: int) -> Picture:
    if number < len(seeds()):
        return Picture(list(seeds().values())[number], deep=True)
    return make_damaged(chance, number)


DAMAGED: Final = Trial(
    name="pictures, damaged",
    make=make_damaged,
    enter=enter_picture,
    refusals=(CutoutError,),
    data_of=_data_of,
)
CUT_OUTS: Final = Trial(
    name="pictures, whole jobs",
    make=make_for_cut_out,
    enter=enter_cut_out,
    refusals=(CutoutError,),
    data_of=_data_of,
)
BOMBS: Final = Trial(
    name="pictures, bombs", make=make_bomb, enter=enter_picture, refusals=(CutoutError,), data_of=_data_of
)
DECODERS: Final = Trial(
    name="pictures, decoder's process",
    make=make_bomb,
    enter=enter_decoder,
    refusals=(CutoutError,),
    data_of=_data_of,
)
ESCAPES: Final = Trial(name="decoders taken over", make=make_escape, enter=enter_escape, data_of=_data_of)
