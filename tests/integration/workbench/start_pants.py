"""Pants, which makes an engine to install plugins only where some are named.

Before it does anything else, Pants 2.17 makes a scheduler with its whole Python backend, for what
`[GLOBAL].plugins` may name: 6 of the 8 seconds of processor time that a start takes. Pants 2.34
makes it when something has to be resolved (`PluginResolver`), and so do those started here.

With `--serve` as its only argument, this is a process that has imported Pants and the plugin, and
becomes a Pants without a daemon for each line on its standard input: see `ready_pants`.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cached_property
from typing import Any

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
    elif "--no-pantsd" in sys.argv or "PANTS_DAEMON_ENTRYPOINT" in os.environ:
        _make_engine_for_plugins_late()
    from pants.bin import pants_loader

    pants_loader.main()


def _import_all() -> None:
    """What a run of Pants imports, so that 2 of the 2.5 seconds of a start are spent once."""

    import pants_docker_buildkit.register  # noqa: F401


def _fork_for_each_line() -> None:
    """Answer each line with a process number and, when that process ended, an exit code.

    A line is a JSON object: `arguments`, `directory`, `environment`, `output` (a file). Returns in
    the process that is to become Pants. This one has no thread, so that it may fork.
    """
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _take_over(request)
            return
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status), flush=True)
    sys.exit()


def _take_over(request: dict[str, Any]) -> None:
    os.setsid()
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
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
