"""Decoders as processes of their own: the same pixels, and no harm to anything but one picture."""

import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.errors import CutoutError, DecodingStopped, SourceUndecodable
from cutgate.worker.pictures.decoder import Decoder, _memory_file, _sealed
from cutgate.worker.pictures.images import FORMATS, SourceImage, learn_heif, read_image
from cutgate.worker.pictures.png import write_png
from cutgate.worker.pictures.sandbox import Sandbox
from tests.jobs.pictures.test_price import progressive
from tests.waiting import eventually
from tests.worker.pictures import samples
from tests.worker.pictures.harmful_decoder import (
    CRASHES_PX,
    ESCAPES,
    ESCAPES_PX,
    HANGS_PX,
    KEEPS_PX,
    LIES_PX,
    NONE,
    SERVER_DIES_PX,
    WRITES_PX,
)
from tests.worker.pictures.samples import gradient, saved, wide_profile

LIMITS = replace(samples.LIMITS, max_bytes=2**25, max_pixels=50_000_000, max_side_px=12_000)
PLENTY_BYTES = 2**31
HARM_SECONDS = 3
REAL = "cutgate.worker.pictures.decoder"
HARMFUL = "tests.worker.pictures.harmful_decoder"
DEEP = np.random.default_rng(1).integers(0, 65_536, (30, 20, 4), np.uint16)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    yield from started(120, sandbox=Sandbox.REQUIRE)


@pytest.fixture(scope="module")
def harmful() -> Iterator[Decoder]:
    yield from started(HARM_SECONDS, module=HARMFUL)


def started(
    max_seconds: float, max_bytes: int = PLENTY_BYTES, module: str = REAL, sandbox: Sandbox = Sandbox.OFF
) -> Iterator[Decoder]:
    made = Decoder(max_seconds, max_bytes, sandbox, module)
    yield made
    made.close()


def picture(width_px: int) -> bytes:
    return saved(Image.new("RGB", (width_px, 30), "red"), "PNG")


def children_of(decoder: Decoder) -> list[str]:
    pid = decoder._server._process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


learn_heif()
SOURCES = {
    **{kind: saved(Image.fromarray(gradient()), kind) for kind in FORMATS.values()},
    "plain": saved(Image.fromarray(gradient(8, 12)), "JPEG", dpi=(300, 150)),
    "alpha": saved(Image.new("RGBA", (20, 30), (200, 0, 0, 128)), "PNG"),
    "profile": saved(Image.new("RGB", (8, 8), (255, 0, 0)), "PNG", icc_profile=wide_profile()),
    "deep": write_png(DEEP),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_comes_back_is_what_read_image_makes(decoder: Decoder, name: str) -> None:
    options = {"keep_rgb_profile": True, "keep_16_bit": True}
    expected = read_image(SOURCES[name], LIMITS, **options)
    found = decoder.read_image(SOURCES[name], LIMITS, **options)
    for field in SourceImage.__dataclass_fields__:
        np.testing.assert_equal(getattr(found, field), getattr(expected, field))


@pytest.mark.parametrize(
    "data", [b"", b"no picture", picture(12_001), progressive(7_000, 7_000, 20), picture(30)[:-20]], ids=range(5)
)
def test_what_is_refused_is_refused_in_the_same_words(decoder: Decoder, data: bytes) -> None:
    with pytest.raises(CutoutError) as expected:
        read_image(data, LIMITS)
    with pytest.raises(CutoutError) as found:
        decoder.read_image(data, LIMITS)
    assert (type(found.value), found.value.facts()) == (type(expected.value), expected.value.facts())


def test_a_picture_within_every_limit_that_takes_too_long(decoder: Decoder) -> None:
    """Its price is just within the limit, and native code decodes it."""
    data = progressive(7_000, 7_000, 2)
    for impatient in started(0.05):
        with pytest.raises(DecodingStopped, match=r"takes longer than 0\.05 seconds; save it again"):
            impatient.read_image(data, LIMITS)
    assert decoder.read_image(data, LIMITS).rgb.shape == (7_000, 7_000, 3)


def test_a_picture_that_takes_too_much_memory(decoder: Decoder) -> None:
    data = saved(Image.new("RGB", (7_000, 7_000)), "PNG")
    for poor in started(20, 2**28):
        with pytest.raises(DecodingStopped, match="takes more than 256 MiB of memory; save it again"):
            poor.read_image(data, LIMITS)
        assert poor.read_image(picture(30), LIMITS).rgb.shape == (30, 30, 3)
    assert decoder.read_image(data, LIMITS).rgb.shape == (7_000, 7_000, 3)


@pytest.mark.parametrize(
    ("width_px", "reason"),
    [
        (HANGS_PX, f"longer than {HARM_SECONDS} seconds"),
        (CRASHES_PX, "breaks its decoder"),
        (LIES_PX, "breaks its decoder"),
        (KEEPS_PX, "breaks its decoder"),
    ],
)
def test_one_that_harms_its_decoder_harms_nothing_else(harmful: Decoder, width_px: int, reason: str) -> None:
    with pytest.raises(DecodingStopped, match=reason):
        harmful.read_image(picture(width_px), LIMITS)
    assert harmful.read_image(picture(30), LIMITS).rgb.shape == (30, 30, 3)


@pytest.mark.parametrize(("sandbox", "open_ways"), [(Sandbox.OFF, ", ".join(ESCAPES)), (Sandbox.REQUIRE, NONE)])
def test_a_decoder_that_is_confined_has_no_way_out(sandbox: Sandbox, open_ways: str) -> None:
    for hostile in started(HARM_SECONDS, module=HARMFUL, sandbox=sandbox):
        assert hostile.require() == (sandbox is Sandbox.REQUIRE)
        with pytest.raises(SourceUndecodable, match=f"^{open_ways}$"):
            hostile.read_image(picture(ESCAPES_PX), LIMITS)


def test_a_decoder_is_killed_at_its_limit(harmful: Decoder) -> None:
    with pytest.raises(DecodingStopped):
        harmful.read_image(picture(HANGS_PX), LIMITS)
    eventually(lambda: len(children_of(harmful)) == 1, say=lambda: "it lives on")


def test_where_the_kernel_does_not_confine_nothing_is_decoded_that_must_be() -> None:
    for made in started(20, module="tests.worker.pictures.unconfined_decoder", sandbox=Sandbox.TRY):
        assert not made.require()
        assert made.read_image(picture(30), LIMITS).rgb.shape == (30, 30, 3)
    for made in started(20, module="tests.worker.pictures.unconfined_decoder", sandbox=Sandbox.REQUIRE):
        with pytest.raises(RuntimeError, match="CUTGATE_DECODER_SANDBOX=require"):
            made.require()


def test_pixels_are_not_copied_and_change_no_more() -> None:
    """Cut short, the file would end the process that reads it."""
    with _memory_file() as file:
        file.write(b"pixels")
        contents = _sealed(file)
        file.seek(0)
        for size_bytes in (0, 9):
            with pytest.raises(PermissionError):
                file.truncate(size_bytes)
        with pytest.raises(PermissionError):
            file.write(b"others")
    assert isinstance(contents, mmap.mmap)
    assert contents[:] == b"pixels"


def test_a_server_that_dies_is_no_pictures_fault(harmful: Decoder) -> None:
    with pytest.raises(RuntimeError, match="has died"):
        harmful.read_image(picture(SERVER_DIES_PX), LIMITS)
    assert harmful.read_image(picture(30), LIMITS).rgb.shape == (30, 30, 3)


def test_one_that_hangs_does_not_hold_up_another(harmful: Decoder) -> None:
    harmful.require()
    with ThreadPoolExecutor(4) as threads:
        hanging = [threads.submit(harmful.read_image, picture(HANGS_PX), LIMITS) for _ in range(3)]
        harmful.read_image(picture(30), LIMITS)
        assert not any(each.done() for each in hanging)
        assert {type(each.exception()) for each in hanging} == {DecodingStopped}


def test_a_decoder_says_nothing_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """libpng writes a line for each of a hundred thousand faults."""
    for made in started(HARM_SECONDS, module=HARMFUL):
        made.read_image(picture(WRITES_PX), LIMITS)
    assert capfd.readouterr() == ("", "")


def test_a_server_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_REDIS_URL", "redis://:secret@127.0.0.1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for made in started(20):
        made.require()
        pid = made._server._process.pid
        assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
        eventually(partial(children_of, made))  # its files come and go until it has forked
        links = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
        assert len([link for link in links if link.startswith("socket:")]) == 1


def test_a_server_that_cannot_start_is_said_so() -> None:
    for made in started(20, module="tests.worker.pictures.no_such_module"):
        with pytest.raises(RuntimeError, match="does not start"):
            made.require()


def test_nothing_is_left_behind(decoder: Decoder) -> None:
    decoder.read_image(picture(30), LIMITS)
    before = open_files()
    for _ in range(20):
        decoder.read_image(picture(30), LIMITS)
        with pytest.raises(CutoutError):
            decoder.read_image(b"no picture", LIMITS)
    assert open_files() == before
    # The one that waits for the next picture.
    eventually(lambda: len(children_of(decoder)) == 1)
