"""Searches for good parameters with Ray Tune; each trial is a training of its own."""
