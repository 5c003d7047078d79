"""How fast pdbt is beside what people would use instead: ``python benchmarks/run.py``."""
