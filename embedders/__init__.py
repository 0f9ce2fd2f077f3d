"""Embedders: text, pictures and video to vectors."""
