"""Run commands as processes of their own that have the heavy imports already: forks of this one, which has only those.

A line on stdin asks for one: `module`, `arguments`, `cwd`, `env`, the files for its `stdout` and `stderr`, and the
`seconds` after which it is killed. A line on stdout answers with its exit code, negative where a signal ended it.
"""

import json
import os
import runpy
import signal
import sys

import datasets  # noqa: F401
import transformers.models.t5.modeling_t5  # noqa: F401

import dfwe.families.seq2seq.family
import dfwe.run_study  # noqa: F401


def main() -> None:
    while line := sys.stdin.readline():
        request = json.loads(line)
        child = os.fork()
        if not child:
            break
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    else:
        return
    become(**request)


def become(*, module, arguments, cwd, env, stdout, stderr, seconds) -> None:
    """Run the module as `python -m` would, to the end of this process."""
    for number, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_RDWR), number)
    sys.stdin = os.fdopen(0)  # the other one may hold more than the line that it gave
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = cwd
    sys.argv[1:] = arguments
    signal.alarm(seconds)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
