"""Cutgate, rembg and rembg with alpha matting side by side, on photos whose alpha is known."""
