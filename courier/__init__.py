"""Leaves the house: fetches sources by URL, tells of the ends of tasks, and brings results to other servers."""
