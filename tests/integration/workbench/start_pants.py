"""Pants, which makes an engine to install plugins only where some are named.

Before it does anything else, Pants 2.17 makes a scheduler with its whole Python backend, for what
`[GLOBAL].plugins` may name: 6 of the 8 seconds of processor time that a start takes. Pants 2.34
makes it when something has to be resolved (`PluginResolver`), and so do those started here.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import Any


def main() -> None:
    """Become Pants: a client of a daemon, a daemon, or one without."""
    # Python put the directory of this file there, and Pants hands it on to its daemon.
    del sys.path[0]
    # A client makes no engine, and imports little.
    if "--no-pantsd" in sys.argv or "PANTS_DAEMON_ENTRYPOINT" in os.environ:
        _make_engine_for_plugins_late()
    from pants.bin import pants_loader

    pants_loader.main()


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
