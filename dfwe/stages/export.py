"""The merged model as a folder that Transformers loads, with what is needed to ask it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from dfwe.files import replacing_folder, write_json
from dfwe.stages.plan import Study

ASKING = "dfwe.json"


def export_merged(study: Study, *, name: str, folder: Path) -> None:
    """Writes the merge of that name; `dfwe.json` there says how it was made and how it is asked."""
    stage = study.merges[name]
    entry = stage.result(study.bench.store)
    reference = study.bench.reference
    asking = {
        "merge": name,
        "coefficients": entry.card.result["coefficients"],
        "target": study.target.short,
        "tasks": {task.short: dict(task.config) for task in (*study.sources, study.target)},
        "max_words": study.bench.data.max_words,
        "max_source_tokens": study.bench.limits.max_source_tokens,
        "max_target_tokens": study.bench.limits.max_target_tokens,
        "truncation": study.bench.limits.truncation,
        "decode": study.bench.decode,
        "reference": None if reference is None else asdict(reference),
    }
    with replacing_folder(folder, mark=ASKING) as temporary:
        stage.model(entry).save_pretrained(temporary)
        study.bench.tokenizer.save_pretrained(temporary)
        write_json(temporary / ASKING, asking)
