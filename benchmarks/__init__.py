"""The figures of the project, measured against their peers: ``python -m benchmarks``."""
