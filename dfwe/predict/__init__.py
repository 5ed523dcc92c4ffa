"""Answers of a merged model: `load(folder).predict(texts)` in Python, `python -m dfwe.predict` for files."""

from dfwe.predict.predictor import Prediction, Predictor, load

__all__ = ["Prediction", "Predictor", "load"]
