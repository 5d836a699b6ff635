"""Tests of Runware: which network computes a picture, by the id that the request names."""

import pytest
from pydantic import ValidationError

from cutgate.gateway.accounts.records import Terms
from cutgate.jobs.spec import PRESETS, ModelChoice, Precision, lane_of
from tests.gateway.runware.service import ACCOUNT, Service, make_service, removal, upload


def offer(service: Service, *names: str) -> None:
    """Let a worker offer models."""
    for name in names:
        service.harness.offer(ModelChoice.parse(name))


def lanes(service: Service, *ids: str) -> list[str]:
    """Where pictures wait for which these models were asked."""
    return [lane_of(service.spec(model=name)) for name in ids]


def test_an_id_runs_as_the_network_that_it_names_where_a_worker_offers_it(service: Service) -> None:
    own = service.settings.choice.lane
    assert lanes(service, "runware:112@5", "bria:2@1", "runware:109@1") == [own] * 3
    offer(service, "best")
    assert lanes(service, "runware:112@5", "bria:2@1", "runware:109@1") == ["birefnet-general:exact", own, own]


def test_the_installation_has_the_last_word_on_an_id() -> None:
    service = make_service(
        precision="fast",
        runware_models="runware:112@5=exact, bria:2@1=u2netp, runware:109@1=best,runware:112@1=fast",
    )
    offer(service, "best", "exact", "u2netp")
    assert lanes(service, "runware:112@5", "bria:2@1", "runware:109@1", "runware:112@1") == [
        "isnet-general-use:exact",
        "u2netp:exact",
        "birefnet-general:exact",
        "isnet-general-use:fast",
    ]


def test_the_account_chooses_what_the_request_does_not(service: Service) -> None:
    offer(service, "best", "u2netp", "fast")
    service.accounts.change(ACCOUNT, terms=Terms(precision=Precision.FAST))
    assert lanes(service, "runware:109@1", "runware:112@5") == ["isnet-general-use:fast", "birefnet-general:exact"]
    service.accounts.change(ACCOUNT, terms=Terms(model="u2netp"), forget=("precision",))
    assert lanes(service, "runware:109@1", "bria:2@1") == ["u2netp:exact", "u2netp:exact"]


def test_a_model_that_no_worker_offers_is_refused_at_once() -> None:
    service = make_service(runware_models="runware:112@5=best")
    error = service.error(removal(model="runware:112@5"))
    assert (error["code"], error["parameter"]) == ("unsupportedModel", "model")
    assert error["message"] == "no worker serves the model birefnet-general (exact)"
    assert not service.blobs.keys()
    service.result(removal(deliveryMethod="async"))


def test_keeping_a_picture_needs_no_model() -> None:
    service = make_service()
    service.accounts.change(ACCOUNT, terms=Terms(**PRESETS["best"].model_dump()))
    service.result(upload("https://host.example/a.png", deliveryMethod="async"))


@pytest.mark.parametrize(
    "models", ["runware:112@5", "runware:112@5=", "runware:112@5=a/b", "runware:112@5=m:slow"]
)
def test_wrong_settings_of_models_are_refused(models: str) -> None:
    with pytest.raises(ValidationError, match="runware_models"):
        make_service(runware_models=models)


def test_a_model_that_the_protocol_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="runware:112@4"):
        make_service(runware_models="runware:112@4=birefnet").result(removal())
