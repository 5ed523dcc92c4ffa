"""FETA-Friends from its public releases: read, brought together by scene, split, written for TLiDB. No torch here."""
