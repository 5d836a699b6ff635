"""Facts about a picture from its bytes, before decoding: format, size, wholeness and cost."""
