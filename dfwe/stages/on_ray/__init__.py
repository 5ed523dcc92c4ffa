"""Stages on Ray: in processes of their own, on one machine or several. Nothing else of dfwe imports Ray."""
