"""Doubao's models at Ark, the model service of Volcengine."""
