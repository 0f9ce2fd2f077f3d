"""The builtin embedder: descriptors without weights, in words and in pictures."""
