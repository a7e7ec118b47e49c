"""Whether a bundle is what it claims to be: hashes, metadata, weights, parity with its parent."""
