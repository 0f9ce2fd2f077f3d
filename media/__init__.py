"""Reading video: probe, sample frames, cut, thumbnails, shots (PyAV)."""
