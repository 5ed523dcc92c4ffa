"""A toy study in processes of its own, forked from this one, which has the heavy imports already."""

import json
import logging
import os
import re
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import datasets  # noqa: F401
import sklearn.linear_model  # noqa: F401
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import dfwe.families.seq2seq.family
import dfwe.search.optimizers.nevergrad  # noqa: F401
from dfwe.conf import conf_dir
from dfwe.config.task_options import register
from dfwe.errors import DfweError
from dfwe.process.interrupt import EXIT_CODE
from dfwe.run_study import run_study
from dfwe.store.store import full_disk_errors

TEXT = (
    "+target=meld",
    "sources=[emory_emotion]",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "data.generator.num_train=12",
    "data.generator.num_dev=8",
    "data.generator.num_test=8",
    "trainer.train.epochs=3",
    "trainer.finetune.epochs=3",
    "trainer.precision=32-true",
    "trainer.threads=1",
    "merge.search.budget=5",
)
ROWS = "{train: 24, dev: 12, test: 12}"
HEADS = (
    "experiment=cuts_and_stitches",
    "model.pretrain=null",
    "model.source.vocab_size=300",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128}",
    "model.max_source_tokens=128",
    *(f"data.generator.rows.{task}={ROWS}" for task in ("sentiment", "paraphrase", "similarity", "inference")),
    "data.generator.rows.topic={train: 4, dev: 2, test: 2}",
    "data.generator.rows.overlap={train: 4, dev: 2, test: 2}",
    "trainer.train.epochs=2",
    "multitask.models.snli.fit.epochs=1",
    "multitask.merges.nelder_mead.budget=3",
    "multitask.fisher.examples=4",
    "multitask.candidates=[surgery,surgery_smart,surgery_snli]",
)
SHORT = (
    *(override for override in TEXT if not override.startswith(("trainer.train.", "trainer.finetune.", "merge."))),
    "trainer.train.epochs=2",
    "trainer.finetune.epochs=2",
    "merge.search.budget=3",
    "baselines=[ensemble]",
    "diagnostics=[]",
)
STUDIES = {"text": TEXT, "heads": HEADS, "short": SHORT}  # text-to-text; models with heads; that of `make test`
FILES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "open", "os.listdir", "os.scandir")
FAILED = 2


@cache
def composed(study: str) -> DictConfig:
    """The configuration of one of STUDIES, its store aside; forks have what their parent composed."""
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=[*STUDIES[study], "report=false"])


@dataclass(frozen=True)
class Toy:
    """A study, one of STUDIES, whose store and run lie in `folder`."""

    folder: Path
    study: str = "text"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self, *, kill_before: int | None = None, run: str = "run") -> int:
        """The id of a process that runs the study; it kills itself before that operation on a file of the study's."""
        process = os.fork()
        if process:
            return process
        try:
            self._run(self.folder / run, kill_before=kill_before)
        except DfweError as error:
            print(f"error: {error}", flush=True)
            os._exit(FAILED)
        except KeyboardInterrupt:
            os._exit(EXIT_CODE)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)

    def end(self, **how) -> int:
        """The exit code of a whole run."""
        return ended(self.start(**how))

    def said(self, *, run: str = "run") -> str:
        """What the last run said."""
        return (self.folder / run / "said.txt").read_text()

    def results(self, *, run: str = "run") -> dict[str, object]:
        """What the study found, times and places aside."""
        folder, found = self.folder / run, {}
        for path in [path for path in folder.glob("*.json*") if path.name != "results.json"]:
            text = re.sub(r'"seconds": [-+.e\d]+', "", path.read_text())
            found[path.name] = text.replace(str(self.folder), "")
        results = json.loads((folder / "results.json").read_text()) | {"seconds": {}}
        found["results.json"] = re.sub(r'"seconds": [-+.e\d]+', "", json.dumps(results)).replace(str(self.folder), "")
        for path in (folder / "merged").glob("*.safetensors"):
            found[path.name] = path.read_bytes()
        return found

    def commits(self) -> list[str]:
        """The names of the results that the runs made, in order."""
        diary = self.folder / "commits.txt"
        return diary.read_text().splitlines() if diary.exists() else []

    def _run(self, run: Path, *, kill_before: int | None) -> None:
        run.mkdir(parents=True, exist_ok=True)
        said = os.open(run / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(said, stream)
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        count = self._watched(kill_before)
        config = composed(self.study).copy()
        config.paths.store = str(self.store)
        with full_disk_errors(self.store):  # as the command does
            run_study(config, folder=run)
        (run / "operations.txt").write_text(str(count[0]))

    def _watched(self, kill_before: int | None) -> list[int]:
        """Counts operations on the study's files from now on, keeps a diary of commits, kills where it was asked to."""
        count, diary, folder = [0], self.folder / "commits.txt", str(self.folder)

        def hook(event, arguments) -> None:
            if event not in FILES or not str(arguments[0]).startswith(folder) or str(diary) == str(arguments[0]):
                return
            count[0] += 1
            if count[0] == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            if event == "os.rename" and str(arguments[0]).endswith(".partial"):
                with diary.open("a") as file:
                    file.write(f"{Path(arguments[1]).name}\n")

        sys.addaudithook(hook)
        return count


def ended(process: int, *, kill_after: float | None = None) -> int:
    """The exit code of a process, after a SIGKILL where it runs longer than that; -9 if it was killed."""
    end = None if kill_after is None else time.monotonic() + kill_after
    while True:
        found, status = os.waitpid(process, 0 if end is None else os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            os.kill(process, signal.SIGKILL)
            end = None
        time.sleep(0.005)
