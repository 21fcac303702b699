"""Damaged and hostile input for every reader: `python -m benchmarks.fuzz`."""
