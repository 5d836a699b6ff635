"""How many pictures a second a GPU does beside few and many processors."""
