from __future__ import annotations

from tests.fixtures_models import tiny_settings, weights_dir

__all__ = ["tiny_settings", "weights_dir"]
