"""Learning binary hash codes for multi-label image retrieval."""
