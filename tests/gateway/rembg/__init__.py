"""Tests of rembg's API."""
