"""The members of a result that docs/reference-runware.md lists are those that results have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.runware.service import Service, new_removal, removal

PAGE = Path(__file__).parents[4] / "docs" / "reference-runware.md"
EVERYTHING: dict[str, Any] = {"outputType": ["URL", "base64Data", "dataURI"], "includeCost": True}


def members(*, of_new_form: bool) -> set[str]:
    """Names in the first column of the table of results."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("### The result of a removal")
    table, _, _ = rest.partition("\n## ")
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return {
        name
        for _, names, there, *_ in rows
        if of_new_form or "removeBackground" not in there
        for name in re.findall(r"`(\w+)`", names)
    }


@pytest.mark.parametrize("of_new_form", [False, True])
def test_a_result_has_what_the_page_lists(patient_service: Service, of_new_form: bool) -> None:
    with patient_service.working():
        item = patient_service.result((new_removal if of_new_form else removal)(**EVERYTHING))
    assert set(item) == members(of_new_form=of_new_form)
