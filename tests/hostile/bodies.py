"""Bodies of one field that is large: whatever its bytes are, reading it costs what follows from its size."""

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from typing import IO, Final, NamedTuple

from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.removebg.errors import Refused as RemoveBgRefused
from cutgate.gateway.removebg.forms import read_fields
from cutgate.gateway.removebg.sources import Sources
from cutgate.gateway.runware.messages.errors import Refused as RunwareRefused
from cutgate.gateway.runware.messages.reading import read_message
from cutgate.jobs.errors import SourceRejected
from cutgate.jobs.limits import SourceLimits
from cutgate.signing import BodyRejected, JsonValue, SigningError, parse_body, parse_form, take_signature, verify
from tests.hostile.judgement import Allowed
from tests.hostile.trials import Trial

_PATTERNS: Final = (
    *(
        b"A",
        b"%41",
        b"%",
        b"%4",
        b"%ff",
        b"+",
        b"=",
        b"\xff",
        "é".encode(),
        rb"\u00e9",
        rb"\ud83d\ude00",
        b"\r\n--x",
    ),
)
_SIZES_BYTES: Final = (2 * 2**20, 40 * 2**20)
"""Of the first bodies, and of as many after them."""
_SLACK_BYTES: Final = 4 * 2**20
"""What reading any body takes."""
_SOURCES: Final = Sources(SourceLimits(max_bytes=_SIZES_BYTES[-1], max_pixels=10_000, max_side_px=1_000))
_KEY: Final = "k" * 40
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data; boundary=x"


def _read_signed(params: Mapping[str, JsonValue]) -> None:
    """Hold a signature to it: whoever has seen a public key can have that done."""
    rest, _ = take_signature(params)
    with suppress(SigningError):
        verify(rest, "0" * 40, [_KEY])
    _decode(params.get("RawImage"))


def _read_message(file: IO[bytes]) -> None:
    [task] = read_message(file.read(), 32)
    _decode(task.get("inputImage"))


def _decode(picture: object) -> None:
    if isinstance(picture, str):
        decode_source(picture, _SIZES_BYTES[-1])


def _read_removal(media_type: str, file: IO[bytes]) -> None:
    given = read_fields(file, media_type)
    _SOURCES.check(given)
    _SOURCES.picture(given)


class Form(NamedTuple):
    """A form of bodies: what stands around a field's name and value, and who reads it."""

    path: str
    media_type: str
    name: bytes
    """Of the field that is large where its name is not."""
    begin: bytes
    middle: bytes
    end: bytes
    read: Callable[[IO[bytes]], object]

    def body(self, pattern: bytes, size_bytes: int, *, is_name: bool) -> bytes:
        """A body of about a size, all of it the name or the value of its field."""
        filling = pattern * (size_bytes // len(pattern))
        name, value = (filling, b"x") if is_name else (self.name, filling)
        return b"".join((self.begin, name, self.middle, value, self.end))


_PART: Final = b'--x\r\nContent-Disposition: form-data; name="'
FORMS: Final[Sequence[Form]] = (
    Form(
        "/",
        _FORM,
        b"RawImage",
        b"Action=RemoveBackground&",
        b"=",
        b"",
        lambda f: _read_signed(parse_form(f.read())),
    ),
    Form("/", "application/json", b"RawImage", b'{"', b'":"', b'"}', lambda f: _read_signed(parse_body(f.read()))),
    Form("/v1", "application/json", b"inputImage", b'[{"', b'":"', b'"}]', _read_message),
    *(
        Form("/v1.0/removebg", media_type, b"image_file_b64", *around, partial(_read_removal, media_type))
        for media_type, around in (
            (_FORM, (b"", b"=", b"")),
            ("application/json", (b'{"', b'":"', b'"}')),
            (_MULTIPART, (_PART, b'"\r\n\r\n', b"\r\n--x--\r\n")),
        )
    ),
)
_KINDS: Final = tuple(product(_PATTERNS, (True, False), FORMS))


class Body(NamedTuple):
    form: Form
    data: bytes


def body_of(number: int, size_bytes: int) -> Body:
    """The body of a number: each pattern as the name and as the value, in each form."""
    pattern, is_name, form = _KINDS[number % len(_KINDS)]
    return Body(form, form.body(pattern, size_bytes, is_name=is_name))


def make_body(_chance: random.Random, number: int) -> Body:
    return body_of(number, _SIZES_BYTES[number // len(_KINDS) % len(_SIZES_BYTES)])


def _data_of(body: Body) -> bytes:
    return body.data


def allowed(size_bytes: int) -> Allowed:
    """What reading a body may take."""
    return 0.02 * (1 + size_bytes / 2**20), 3 * size_bytes + _SLACK_BYTES


def enter_body(body: Body) -> None:
    """Read it from a file, where the gateway has a large one."""
    with tempfile.TemporaryFile() as file:
        file.write(body.data)
        file.seek(0)
        body.form.read(file)


BODIES: Final = Trial(
    name="large fields",
    make=make_body,
    enter=enter_body,
    refusals=(BodyRejected, RunwareRefused, RemoveBgRefused, SourceRejected),
    data_of=_data_of,
    allowed=allowed,
    least=len(_KINDS),
)
