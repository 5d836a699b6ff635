"""docs/models.md says what the registry says, and what it says of presets and ids is so."""

import re

from cutgate.gateway.runware.messages.fields import MODELS as IDS
from cutgate.jobs.presets import PRESETS
from cutgate.jobs.spec import Precision
from cutgate.worker.models.weights.model import Model, WeightsFile
from cutgate.worker.models.weights.registry import MODELS, CustomModel
from tests.servers.stack import ROOT

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


USUAL_PLACE = ", in rembg's release v0.0.0"
"""Where weights come from whose place the page does not name."""


def items_of(title: str) -> list[str]:
    """The items of the lists in a section, each in one line."""
    section = PAGE.partition(f"\n{title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^- (.*(?:\n  .*)*)", section, re.MULTILINE)
    return [" ".join(item.split()) for item in found]


def shown_name(model: Model, row: WeightsFile) -> str:
    """A model, and the name of its file where that is not its own."""
    plain = row.file_name == f"{model.name}.onnx"
    return f"`{model.name}`" if plain else f"`{model.name}` (`{row.file_name}`)"


def shown_facts(row: WeightsFile) -> str:
    """What the list says of a file of weights."""
    size_bytes = row.download_bytes
    size = "?" if size_bytes is None else f"{size_bytes / 1e6:.0f}"
    return f"{size} MB; {row.origin.removesuffix(USUAL_PLACE)}; {row.licence}"


def test_every_file_of_weights_is_listed_with_its_facts() -> None:
    alike: dict[str, list[str]] = {}
    for model in MODELS.values():
        for row in model.files:
            alike.setdefault(shown_facts(row), []).append(shown_name(model, row))
    expected = [f"{', '.join(names)}: {facts}" for facts, names in alike.items()]
    text = "\n".join(f"- {item}" for item in expected)
    assert items_of("## All built-in models") == expected, f"the list should say\n\n{text}"


def test_the_models_that_have_fast_are_named() -> None:
    fast = {name for name, model in MODELS.items() for row in model.files if Precision.FAST in row.precisions}
    said = PAGE.partition("Only IS-Net has `fast`: ")[2].partition(".\n")[0]
    assert set(re.findall(r"`([\w-]+)`", said)) == fast


def test_the_members_of_an_operators_row_are_on_the_page() -> None:
    section = PAGE.partition("\n## Your own network\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^- ([`\w, ]+): ", section, re.MULTILINE)
    shown = {name for names in lines for name in re.findall(r"\w+", names)}
    assert shown | {"least_range"} == {*CustomModel.model_fields}


def test_the_presets() -> None:
    shown = [re.match(r"`(\w+)`: `([^`]+)`", item) for item in items_of("## Presets")]
    assert {found[1]: found[2] for found in shown if found} == {
        name: str(choice) for name, choice in PRESETS.items()
    }


def test_every_id_of_runwares_protocol_is_named() -> None:
    for name, model in IDS.items():
        (row,) = (
            item for item in items_of("## Choose a model") if item.startswith("`runware:") and short(name) in item
        )
        suffix = (model or "what computes the account's pictures").removeprefix("birefnet")
        assert suffix in row.partition("`: ")[2] + row.partition(" offers: ")[2], name


def short(name: str) -> str:
    """An id as the list shows it beside others of its kind."""
    return f"{name.removeprefix('runware:')}`"
