"""What mkdocs asks while it builds the site; see `hooks` in mkdocs.yml."""

import re
from importlib.metadata import version
from typing import Any, Final

_UNRUN: Final = re.compile(r"^(```\w+) not-run=\"[^\"]+\"$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page without what its fences tell the tests, which mkdocs would not take for fences."""
    return _UNRUN.sub(r"\1", markdown)


def on_config(config: Any) -> Any:
    """The site's settings, with the version that it describes at the foot of each page."""
    config.copyright = f"Cutgate {version('cutgate')}"
    return config
