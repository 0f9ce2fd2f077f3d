"""Configuration: settings, presets and the building of stacks."""
