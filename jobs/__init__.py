"""What gateway and worker agree on: specs, records, the ledger, blobs and hints.

The contract is in `spec`, `record`, `ids`, `limits`, `errors`, `ledger`, `blobs` and `hints`. The adapters
(`ledger`, `blobs/s3_store`, `hints/celery`) are imported by name, so `import cutgate.jobs` stays light.
"""
