"""Models that look at videos and answer. The contract is `core.understanding`."""
