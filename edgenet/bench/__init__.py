"""From bundles to measured rows: what to measure in which order, and the figures of raw samples."""
