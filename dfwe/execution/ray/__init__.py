"""Stages and candidates in Ray's workers."""
