"""A service that says all it can, after everything that callers do: well, wrongly, and over every transport."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.observed.callers import REQUEST_UUID, call_picpik, call_runware, speak_runware
from tests.end_to_end.observed.observation import Observed, observing


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with observing(tmp_path_factory.mktemp("observed")) as observed:
        yield observed


@pytest.fixture(scope="session")
def worked(observed: Observed) -> Observed:
    """The service after everything that callers do."""
    call_picpik(observed)
    call_runware(observed)
    speak_runware(observed)
    observed.wait_for("fetch_failed")
    for event in ("request", "item_done", "delivered"):
        observed.wait_for(event, request_uuid=REQUEST_UUID)
    observed.wait_for("delivered", errand="upload", account="shop")
    return observed
