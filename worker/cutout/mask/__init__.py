"""From a picture to a mask: where the subject is."""
