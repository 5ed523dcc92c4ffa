"""Use dfwe from Python: load experts, check them, merge them, search their weights, score a model."""

from dfwe.api.asking import ModelAsking
from dfwe.api.evaluation import TextEvaluation, evaluate
from dfwe.api.experts import load_experts, merge, new_search, preflight, search_weights
from dfwe.training.weight_search import WeightSearch

__all__ = [
    "ModelAsking",
    "TextEvaluation",
    "WeightSearch",
    "evaluate",
    "load_experts",
    "merge",
    "new_search",
    "preflight",
    "search_weights",
]
