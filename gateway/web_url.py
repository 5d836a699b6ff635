"""The form of URLs that are taken from outside, of sources, callbacks and uploads, and the base of our own."""

import re
from functools import lru_cache
from typing import Final

from werkzeug.sansio.utils import get_current_url

MAX_URL_CHARACTERS: Final = 2_048
"""The longest URL that is taken from outside."""
WEB_URL_FORM: Final = (
    "a URL is http:// or https:// with a host, without a user's name, "
    f"and has at most {MAX_URL_CHARACTERS} characters"
)
"""What a URL that is not taken should have been, as a sentence."""

_NOT_IN_URLS: Final = r"\s\x00-\x1f\x7f\ud800-\udfff"
_WEB_URL: Final = re.compile(rf"https?://[^{_NOT_IN_URLS}/?#@]+([/?#][^{_NOT_IN_URLS}]*)?", re.IGNORECASE)


@lru_cache(256)
def base_url(scheme: str, host: str) -> str:
    """What stands in front of paths where a request came in, by its own words; they are mostly the same."""
    return get_current_url(scheme, host).rstrip("/")


def is_web_url(text: str) -> bool:
    """Whether a text has the form of `WEB_URL_FORM`; whether it may be called is decided when it is."""
    return len(text) <= MAX_URL_CHARACTERS and _WEB_URL.fullmatch(text) is not None
