"""Conformance suites and test doubles, shipped for authors of adapters."""
