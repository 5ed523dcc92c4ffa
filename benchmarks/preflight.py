"""Preflight of five experts of 250 M parameters: seconds and peak memory, each run a process of its own.

    python benchmarks/preflight.py [--experts 5] [--rounds 3] [--base] [--folder FOLDER]

Random weights in float32, 1 GB each, with a vocabulary of 32,000 tokens; files in the page cache. With `--base` a sixth
model is read, which all start from. Prints seconds, CPU seconds and the peak of anonymous memory (mapped files are the
page cache's): of starting Python and torch alone, then of each round.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
from combine import run
from safetensors.torch import save_file
from torch import Tensor

WIDTH, LAYERS, TOKENS = 1024, 17, 32_000
CONFIG = {"model_type": "bert", "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "vocab_size": TOKENS}


def weights() -> dict[str, Tensor]:
    """Tensors of the shapes of a BERT of about 250 M parameters."""
    shapes: dict[str, tuple[int, ...]] = {"embeddings.word_embeddings.weight": (TOKENS, WIDTH)}
    for layer in range(LAYERS):
        names = ("query", "key", "value", "output")
        shapes |= {f"layer.{layer}.{name}.weight": (WIDTH, WIDTH) for name in names}
        shapes |= {f"layer.{layer}.{name}.bias": (WIDTH,) for name in (*names, "norm")}
        shapes |= {f"layer.{layer}.up.weight": (4 * WIDTH, WIDTH), f"layer.{layer}.down.weight": (WIDTH, 4 * WIDTH)}
    return {name: 0.02 * torch.randn(shape) for name, shape in shapes.items()}


def write_models(folder: Path, *, experts: int) -> int:
    """Write the base and its experts; return the number of parameters of each."""
    torch.manual_seed(0)
    base = weights()
    vocab = {f"token{number}": number for number in range(TOKENS)}
    tokenizer = {"model": {"type": "BPE", "vocab": vocab, "merges": []}, "added_tokens": []}
    for name in ("base", *(f"expert{number}" for number in range(experts))):
        path = folder / name
        path.mkdir()
        moved = base if name == "base" else {k: w + 0.0005 * torch.randn_like(w) for k, w in base.items()}
        save_file(moved, path / "model.safetensors")
        (path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
        (path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return sum(tensor.numel() for tensor in base.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", action="store_true", help="read the base model, too")
    parser.add_argument("--folder", type=Path, help="where the models are written for as long as it takes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        num = write_models(folder, experts=arguments.experts)
        print(f"{arguments.experts} experts of {num / 1e6:.0f} M parameters, {torch.get_num_threads()} threads")
        command = [sys.executable, "-m", "dfwe", "preflight", *(f"expert{k}" for k in range(arguments.experts))]
        command += ["--base", "base"] if arguments.base else []
        for words in ([sys.executable, "-c", "import torch"], *[command] * arguments.rounds):
            one = run(words, folder=folder)
            print(f"{words[2]:15} {one.seconds:.2f} s, CPU {one.cpu_seconds:.2f} s, {one.anonymous:.2f} GB")


if __name__ == "__main__":
    main()
