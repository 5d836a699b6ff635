"""Arrays, filters and geometry that all of the mathematics stands on."""
