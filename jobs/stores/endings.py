"""Why an item fails without its worker's word."""

from __future__ import annotations

from typing import Final

from jobs.errors import Terminated

TERMINATED: Final = Terminated("the task was terminated").facts()
