"""Doubao's multimodal embedding at Ark, the model service of Volcengine."""
