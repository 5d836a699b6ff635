"""docs/models.md says what the registry says, and what it says of presets and ids is so."""

import re
from itertools import takewhile

from cutgate.gateway.runware.messages.fields import MODELS as IDS
from cutgate.jobs.presets import PRESETS
from cutgate.jobs.spec import Precision
from cutgate.worker.models.weights.model import Model, WeightsFile
from cutgate.worker.models.weights.registry import MODELS, CustomModel
from tests.servers.stack import ROOT

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def rows_after(title: str) -> list[list[str]]:
    lines = PAGE.partition(f"\n{title}\n")[2].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("|"))
    table = takewhile(lambda line: line.startswith("|"), lines[start:])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in [*table][2:]]


def shown_name(model: Model, row: WeightsFile) -> str:
    """A model, and the name of its file where that is not its own."""
    plain = row.file_name == f"{model.name}.onnx"
    return f"`{model.name}`" if plain else f"`{model.name}` (`{row.file_name}`)"


def shown_facts(row: WeightsFile) -> tuple[str, ...]:
    """What the table says of a file of weights."""
    size_bytes = row.download_bytes
    return (
        "?" if size_bytes is None else f"{size_bytes / 1e6:.0f}",
        row.input_label,
        row.origin,
        row.licence,
    )


def test_every_file_of_weights_is_in_a_row_of_its_facts() -> None:
    alike: dict[tuple[str, ...], list[str]] = {}
    for model in MODELS.values():
        for row in model.files:
            alike.setdefault(shown_facts(row), []).append(shown_name(model, row))
    expected = [[", ".join(names), *facts] for facts, names in alike.items()]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in expected)
    assert rows_after("## All built-in models") == expected, f"the table should say\n\n{text}"


def test_the_models_that_have_fast_are_named() -> None:
    fast = {name for name, model in MODELS.items() for row in model.files if Precision.FAST in row.precisions}
    said = PAGE.partition("Only IS-Net has `fast`: ")[2].partition(".\n")[0]
    assert set(re.findall(r"`([\w-]+)`", said)) == fast


def test_what_is_known_of_training_sets_is_on_the_page() -> None:
    known = [row.trained_on for model in MODELS.values() for row in model.files if row.trained_on]
    assert known
    assert all(f"| {sets} |" in PAGE for sets in known)


def test_the_members_of_an_operators_row_are_on_the_page() -> None:
    section = PAGE.partition("\n## Your own network\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^- ([`\w, ]+): ", section, re.MULTILINE)
    shown = {name for names in lines for name in re.findall(r"\w+", names)}
    assert shown | {"least_range"} == {*CustomModel.model_fields}


def test_the_presets() -> None:
    shown = {cells[0].strip("`"): cells[1].strip("`") for cells in rows_after("## Presets")}
    assert shown == {name: str(choice) for name, choice in PRESETS.items()}


def test_every_id_of_runwares_protocol_is_named() -> None:
    for name, model in IDS.items():
        (row,) = (line for line in PAGE.splitlines() if line.startswith("| `runware:") and short(name) in line)
        suffix = (model or "what computes the account's pictures").removeprefix("birefnet")
        assert suffix in row.partition(" | ")[2], name


def short(name: str) -> str:
    """An id as the table shows it beside others of its kind."""
    return f"{name.removeprefix('runware:')}`"
