"""`python -m cutgate.gateway storage`, and what waits for an operator's word."""

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.redis_client import connect
from tests.gateway.installation import Installation


def test_a_gateway_on_another_database_does_not_start_until_it_is_adopted(installation: Installation) -> None:
    with connect(installation.redis_url) as client:
        client.set("{cutgate}:installation", "another")
    FileBlobStore(installation.blob_dir).install("this")
    refused = installation.call("serve", "--port", "0")
    assert refused.returncode == 1
    assert "two installations" in refused.stderr
    assert "storage adopt" in refused.stderr
    assert installation.call("storage", "adopt").returncode == 0
    assert FileBlobStore(installation.blob_dir).installation() == "another"


def test_what_belongs_to_no_task_goes_at_an_operators_word(installation: Installation) -> None:
    for _ in range(40):
        FileBlobStore(installation.blob_dir).put(source_key(new_task_uid(1_700_000_000), 0), b"picture")
    swept = installation.call("storage", "sweep")
    assert "40 tasks and uploads" in swept.stdout
    assert list(FileBlobStore(installation.blob_dir).tasks()) == []
