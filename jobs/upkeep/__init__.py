"""Threads that keep the ledger and the storage in order beside a process's own work."""
