"""Prompts, one file per form of question; each turns a dialogue into instances. They do not import torch."""
