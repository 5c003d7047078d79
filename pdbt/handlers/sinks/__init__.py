"""Sinks: where batches are kept, each batch once, however often it comes."""
