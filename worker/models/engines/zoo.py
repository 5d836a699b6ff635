"""Every other model that rembg knows, through rembg's own sessions.

rembg is imported only when such a model is asked for: its import compiles code, half a minute on a fresh machine.
"""

from typing import Any

import numpy as np
from PIL import Image

from cutgate.distribution import install
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.models.errors import ModelUnavailable


def zoo_predict(name: str, options: Any, providers: list[Any]) -> tuple[Any, Predict]:
    """Load rembg's model of this name; rembg fetches its weights into its own folder and checks them."""
    try:
        import rembg.sessions
    except ImportError as error:
        raise ModelUnavailable(
            f"{name} is neither built in nor in the models folder; rembg may know it: {install('zoo')}"
        ) from error
    known = rembg.sessions.sessions_names_downloadable
    if name not in known:
        raise ModelUnavailable(f"no model is called {name}; rembg has {', '.join(known)}")
    try:
        session = rembg.new_session(name, sess_opts=options, providers=providers)
    except Exception as error:  # what a session needs, and how it fails, differs from one to the next
        raise ModelUnavailable(f"rembg cannot load {name}: {error}") from error
    return session.inner_session, lambda image: _first_mask(session, image)


def _first_mask(session: Any, image: RgbImage) -> ByteMask:
    # rembg stretches each mask to the full range; one without contrast has it divide by zero, and comes out black.
    with np.errstate(divide="ignore", invalid="ignore"):
        mask = session.predict(Image.fromarray(image))[0]
    return np.asarray(mask.convert("L"))
