"""Opens the blob store that the settings name."""

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.settings import BlobSettings


def open_blob_store(settings: BlobSettings) -> BlobStore:
    """Make the store that gateway and worker share. Only a store of files touches its storage here.

    Raises:
        BlobStoreUnavailable: the folder is not there and cannot be made.
    """
    if settings.blob_store == "file":
        return FileBlobStore(settings.blob_dir)
    # Optional, and heavy: loaded where it is asked for.
    from cutgate.jobs.blobs.s3_store import S3BlobStore

    return S3BlobStore(settings)
