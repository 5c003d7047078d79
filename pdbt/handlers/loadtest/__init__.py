"""A load test of a served pipeline: real client processes, what they measured, and whether all that was acknowledged is stored."""
