"""Opens the blob store that the settings name."""

from cutgate.jobs.blob_settings import BlobSettings
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.blobs.store import BlobStore


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
