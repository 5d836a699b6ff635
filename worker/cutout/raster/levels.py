"""What the levels of a network's map, 0 to 255, are taken to say where a picture's subject is judged by itself."""

from __future__ import annotations

from typing import Final

SEEN: Final = 26
"""A tenth. Below it the network sees nothing."""

LIKELY: Final = 128
"""From here on subject is more likely than background."""

SURE: Final = 230
"""From here on there is no doubt."""
