"""Write names of models and settings for people: on the terminal, pages, pictures and W&B; keys stay in JSON and YAML.

Three models mix all tasks or experts: an expert that was trained on all tasks, the merge with equal coefficients, and
one with random ones. Here alone they are called what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

_BY_KIND: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("baseline", "baseline"): "baseline (target alone)",
        ("expert", "mixture"): "expert on all tasks",
        ("merge", "uniform"): "uniform merge",
        ("baseline", "random"): "random merge",
        ("baseline", "multitask"): "multitask training",
        ("baseline", "ensemble"): "ensemble of answers",
        ("baseline", "ensemble_search"): "ensemble (searched weights)",
        ("baseline", "ensemble_greedy"): "ensemble (greedy selection)",
        ("baseline", "seed_soup"): "soup of seeds",
        ("baseline", "seed_ensemble"): "ensemble of seeds",
        ("baseline", "ratatouille_uniform"): "Ratatouille (uniform)",
        ("baseline", "ratatouille_greedy"): "Ratatouille (greedy)",
        ("baseline", "checkpoint_average"): "baseline (epochs averaged)",
        ("baseline", "ema"): "baseline (moving average)",
        ("baseline", "lora_baseline"): "LoRA baseline",
        ("baseline", "linear_probe"): "linear probe",
        ("baseline", "setfit"): "SetFit",
        ("baseline", "same_compute"): "longer baseline",
        ("baseline", "distilled"): "distilled ensemble",
        ("baseline", "self_training"): "self-trained baseline",
    }
)


def name_of(row: Mapping[str, Any]) -> str:
    """Return the name of a row of results: its title where it has one, and how many texts without labels it read."""
    name = str(row.get("title") or display_name(row["name"], kind=row["kind"]))
    return f"{name} (+{row['unlabelled']:,} unlabelled)" if row.get("unlabelled") else name


def display_name(name: str, *, kind: str) -> str:
    """Return the name of a model of that kind: baseline, expert or merge."""
    return _BY_KIND.get((kind, name), name)


def expert_name(name: str) -> str:
    """Return the name of an expert that has a coefficient: `mixture`, or `group/mixture` for a group of tensors."""
    group, slash, expert = name.rpartition("/")
    return f"{group}{slash}{display_name(expert, kind='expert')}"


def in_words(value: Any) -> str:
    """Write a setting as `key: value, key: value`, nested settings in brackets, without braces and quotes."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')}: {_nested(item)}" for key, item in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_nested, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _nested(value: Any) -> str:
    is_nested = isinstance(value, Mapping | Sequence) and not isinstance(value, str)
    return f"({in_words(value)})" if is_nested and value else in_words(value)
