"""Runware's protocol."""
