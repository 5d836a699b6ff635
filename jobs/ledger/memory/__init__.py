"""The ledger in this process's memory, for tests of what stands on it."""
