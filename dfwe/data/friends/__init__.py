"""FETA-Friends from its public releases: read, merged by scene, split, and written in the TLiDB format."""
