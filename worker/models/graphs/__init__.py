"""Networks made ready: widened, quantised, freed of a fixed batch."""
