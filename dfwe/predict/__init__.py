"""Answers of a merged model: `load(folder).predict(texts)` in Python, `dfwe predict` for files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfwe.predict.predictor import Prediction, Predictor, load

__all__ = ["Prediction", "Predictor", "load"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: the command must hear Ctrl-C before anything that takes time is imported."""
    if name not in __all__:
        raise AttributeError(f"module 'dfwe.predict' has no attribute '{name}'")
    from dfwe.predict import predictor

    return getattr(predictor, name)
