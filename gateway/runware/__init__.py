"""Runware's protocol as a façade: JSON task to spec, record to result item, error to code."""
