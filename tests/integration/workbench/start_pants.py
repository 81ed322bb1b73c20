"""Pants, which makes an engine to install plugins only where some are named.

Before it does anything else, Pants 2.17 makes a scheduler with its whole Python backend, for what
`[GLOBAL].plugins` may name: 6 of the 8 seconds of processor time that a start takes. Pants 2.34
makes it when something has to be resolved (`PluginResolver`), and so do those started here.

With `--serve` as its only argument, this is a process that has imported Pants and the plugin, and
becomes a Pants for each line on its standard input: see `ready_pants`. One that wants a daemon gets
it from a second such process.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, TextIO

SERVE = "--serve"


def main() -> None:
    """Become Pants: a client of a daemon, a daemon, or one without."""
    # Python put the directory of this file there, and Pants hands it on to its daemon.
    del sys.path[0]
    if sys.argv[1:] == [SERVE]:
        _import_all()
        _make_engine_for_plugins_late()
        _fork_for_each_line()
    # A client makes no engine, and imports little.
    elif _has_no_daemon() or "PANTS_DAEMON_ENTRYPOINT" in os.environ:
        _make_engine_for_plugins_late()
    from pants.bin import pants_loader

    pants_loader.main()


def _has_no_daemon() -> bool:
    return "--no-pantsd" in sys.argv or os.environ.get("PANTS_PANTSD") == "false"


def _import_all() -> None:
    """What a run of Pants imports, with a daemon or without, and what rules are read from.

    Three of the four seconds of a daemon's start, and most of any other's, are spent here once.
    """
    import pants.backend.project_info.register
    import pants.bin.local_pants_runner
    import pants.bin.remote_pants_runner
    import pants.core.register
    import pants.pantsd.pants_daemon

    import pants_docker_buildkit.register

    # Pants remembers what it makes of classes and functions.
    pants.core.register.rules()
    pants.backend.project_info.register.rules()
    pants_docker_buildkit.register.rules()
    # What is here now is not looked at, and thereby copied, by the forks.
    gc.collect()
    gc.freeze()


def _fork_for_each_line() -> None:
    """Answer each line with a process number and, when that process ended, an exit code.

    A line is a JSON object: `arguments`, `directory`, `environment`, `output` (a file). Returns in
    the processes that are to become Pants. This one has no thread, so that it may fork.
    """
    of_daemons, wanted = os.pipe()
    if not os.fork():
        os.close(wanted)
        # Nobody waits for a daemon.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        _fork_for_daemons(open(of_daemons, encoding="utf-8"))  # noqa: SIM115 - until this ends
        return
    os.close(of_daemons)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _take_over(request)
            setattr(os, "spawnve", partial(_spawn_daemon, wanted, request["output"]))  # noqa: B010
            return
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status), flush=True)
    sys.exit()


def _fork_for_daemons(wanted: TextIO) -> None:
    """Returns in the processes that are to become daemons of Pants."""
    for line in wanted:
        if not os.fork():
            wanted.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _take_over(json.loads(line))
            return
    os._exit(0)


def _spawn_daemon(
    wanted: int, output: str, _: int, __: str, command: Sequence[str], env: Mapping[str, str]
) -> None:
    """In place of `os.spawnve`, by which a client of Pants starts its daemon and nothing else."""
    request = {
        "arguments": command[2:],
        "directory": os.getcwd(),
        "environment": dict(env),
        "output": output,
    }
    os.write(wanted, f"{json.dumps(request)}\n".encode())


def _take_over(request: dict[str, Any]) -> None:
    os.setsid()
    output = os.open(request["output"], os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(ours, theirs)
    os.close(output)
    os.close(nothing)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as Python itself would have it
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]


def _make_engine_for_plugins_late() -> None:
    from pants.init import options_initializer
    from pants.init.plugin_resolver import PluginResolver, ResolvedPluginDistributions

    make, resolve = options_initializer.create_bootstrap_scheduler, PluginResolver._resolve_plugins

    class LateScheduler:
        def __init__(self, *arguments: Any) -> None:
            self._arguments = arguments

        @cached_property
        def scheduler(self) -> Any:
            return make(*self._arguments).scheduler

    def resolve_named(
        resolver: PluginResolver, bootstrapper: Any, *arguments: Any
    ) -> ResolvedPluginDistributions:
        if not bootstrapper.bootstrap_options.for_global_scope().plugins:
            return ResolvedPluginDistributions()
        return resolve(resolver, bootstrapper, *arguments)

    setattr(options_initializer, "create_bootstrap_scheduler", LateScheduler)  # noqa: B010
    setattr(PluginResolver, "_resolve_plugins", resolve_named)  # noqa: B010


if __name__ == "__main__":
    main()
