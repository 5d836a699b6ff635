"""Tests of custom resources against the schemas of KEDA, the Gateway API and the Prometheus Operator."""

from copy import deepcopy
from pathlib import Path

import pytest

from tests.deploy.kubernetes.installation import Installation
from tests.deploy.kubernetes.schemas import CUSTOM_KINDS, refusal

pytestmark = [pytest.mark.long, pytest.mark.needs("kubectl")]


def test_custom_resources_keep_to_their_schemas(installation: Installation, models: Path) -> None:
    assert refusal(models, installation.of_kind(*CUSTOM_KINDS)) == ""


def test_a_fault_is_found(installations: dict[str, Installation], models: Path) -> None:
    route, scaler, monitor, rule = (deepcopy(installations["elsewhere"].of_kind(kind)[0]) for kind in CUSTOM_KINDS)
    route["spec"]["rules"][0]["timeouts"]["request"] = "soon"
    assert "data/spec/rules/0/timeouts/request must match" in refusal(models, [route])
    scaler["spec"]["minReplicaCount"] = "none"
    assert "data/spec/minReplicaCount must be" in refusal(models, [scaler])
    monitor["spec"]["podMetricsEndpoints"][0]["interval"] = "often"
    assert "data/spec/podMetricsEndpoints/0/interval must match" in refusal(models, [monitor])
    del rule["spec"]["groups"][0]["rules"][0]["expr"]
    assert "data/spec/groups/0/rules/0 must have" in refusal(models, [rule])
