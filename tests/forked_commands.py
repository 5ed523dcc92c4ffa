"""Run commands as processes of their own that have the heavy imports already: forks of this one, which has only those.

A line on stdin asks for one: `module`, `arguments`, `cwd`, `env`, the files for its `stdout` and `stderr`, the
`seconds` after which it is killed, and how many of it start `at_once`. A line on stdout answers with its exit code,
negative where a signal ended it; of several, with one that is not 0, if there is one.
"""

import atexit
import copy
import gc
import json
import os
import runpy
import signal
import sys
import traceback

import datasets  # noqa: F401
import transformers.models.t5.modeling_t5  # noqa: F401
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

import dfwe.families.seq2seq.family
import dfwe.run_study  # noqa: F401
from dfwe.config.compose import compose_study


def main() -> None:
    warm_up()
    gc.collect()
    gc.freeze()  # a fork that looks at all objects copies their memory
    while line := sys.stdin.readline():
        request, children = json.loads(line), []
        for _ in range(request.pop("at_once")):
            if not (child := os.fork()):
                return become(**request)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(max(codes, key=abs), flush=True)


def warm_up() -> None:
    """Parse every task's YAML and find Hydra's plugins, which takes a second; a command still registers its options."""
    Plugins.instance()  # these register options of their own, once
    store = ConfigStore.instance()
    before = copy.deepcopy(store.repo)
    compose_study(["+target=meld"])
    store.repo = before
    OmegaConf.clear_resolver("chosen_model")


def become(*, module, arguments, cwd, env, stdout, stderr, seconds) -> None:
    """Run the module as `python -m` would, to the end of this process, whose objects are left as they are."""
    for number, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    sys.stdin = os.fdopen(0)  # the other one may hold more than the line that it gave
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = cwd
    sys.argv[1:] = arguments
    signal.alarm(seconds)
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except Exception:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
