"""Tests of remove.bg: fields, sources and bodies of any value are read or refused."""

import io
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from cutgate.gateway.removebg.errors import FIELDS, Refused
from cutgate.gateway.removebg.fields import SIZES
from cutgate.gateway.removebg.forms import read_fields
from cutgate.gateway.removebg.options import Options
from cutgate.gateway.removebg.sources import Sources
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import ModelChoice

LIMITS = SourceLimits(max_bytes=10_000, max_pixels=10_000, max_side_px=1_000)
NEAR = st.text("0123456789.%px -#abcdefxMPtrueautonone\ud800é\0", max_size=20)
"""Texts that are nearly values of fields."""
VALUES = NEAR | st.text() | st.booleans() | st.integers() | st.floats() | st.lists(st.integers()) | st.binary()


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.sampled_from(sorted(SIZES)), st.booleans())
def test_fields_of_any_value_are_read_or_refused(given_fields: dict[str, object], size: str, behind: bool) -> None:
    with suppress(Refused):
        options = Options.read(given_fields)
        options.shown_type()
        options.spec(ModelChoice(model="m"), size, has_background=behind)


@given(
    st.dictionaries(
        st.sampled_from(("image_file", "image_file_b64", "image_url", "bg_image_file", "bg_image_url")), VALUES
    )
)
def test_sources_of_any_value_are_read_or_refused(given_fields: dict[str, object]) -> None:
    sources = Sources(LIMITS)
    with suppress(Refused):
        sources.check(given_fields)
        sources.picture(given_fields)
        sources.background(given_fields)


PART = b'--x\r\nContent-Disposition: form-data; name="size"\r\n\r\nfull\r\n'


@given(
    st.sampled_from(
        (
            "multipart/form-data; boundary=x",
            "multipart/form-data; boundary=é",
            "application/json",
            "application/x-www-form-urlencoded",
        )
    ),
    st.lists(
        st.sampled_from((PART, b"--x--", b"\r\n", b"%", b"&", b"=", b'{"', b"[", b"\xff", b"\0")) | st.binary()
    ),
)
def test_bodies_of_any_bytes_are_read_or_refused(content_type: str, parts: list[bytes]) -> None:
    with suppress(Refused):
        assert all(isinstance(name, str) for name in read_fields(io.BytesIO(b"".join(parts)), content_type))
