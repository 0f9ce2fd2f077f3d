"""Object stores, one module per vendor."""
