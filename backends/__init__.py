"""Vector stores, one module or folder per vendor."""
