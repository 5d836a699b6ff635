"""What a picture's bytes show before anything is decoded: format, size, wholeness, and what decoding will cost."""
