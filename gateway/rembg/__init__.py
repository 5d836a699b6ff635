"""The HTTP API of `rembg s`: a picture comes in, a PNG comes back."""
