"""Results on disk, named by the digest of what made them."""
