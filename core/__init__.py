"""The vocabulary, the contracts and the engine. Standard library only."""
