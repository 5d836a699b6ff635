"""Implementations of `jobs.queue.JobQueue`; import the module of the one you need."""
