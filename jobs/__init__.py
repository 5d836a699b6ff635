"""What gateway and worker agree on: specs, records, the ledger, blobs and hints.

The contract is in `spec`, `record`, `ids`, `store`, `upkeep`, `events`, `blobs`, `queue` and `errors`.
`reaper`, `disposal` and `retention` do the upkeep, `background` has them called in threads. The adapters
(`stores/`, `blobstores/`, `queues/`) are imported by name, so `import jobs` stays light.
"""
