"""A table of settings, as an options file has it → `BuilderDescription`.

The values come untyped. Each is checked here, so nothing that is described can be contradictory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pants_docker_buildkit.buildx.builder_description import (
    DOCKER,
    DOCKER_CONTAINER,
    DRIVERS,
    KUBERNETES,
    REMOTE,
    BuilderDescription,
    NodeDescription,
)
from pants_docker_buildkit.buildx.buildkitd_config import (
    BuildkitdConfig,
    ClientKeyPair,
    GarbageCollection,
    RegistryConfig,
)
from pants_docker_buildkit.options.table import InvalidTableError, OptionTable

ResolvePath = Callable[[str], str]
"""Makes a path of the options absolute."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?")
# A socket by a relative path would be one of whatever directory buildx runs in.
_REMOTE_ENDPOINT = re.compile(r"((docker-container|kube-pod|ssh|tcp)://|unix:///).+")
_USER_INFO = re.compile(r"://[^/@\s]*:[^/@\s]*@")

_TLS_FILES = ("cacert", "cert", "key")
_BUILDKITD_SETTINGS = ("registries", "gc", "entitlements")
_CONFIGURED = ("driver_opts", "boot_timeout", "buildkitd_config", *_BUILDKITD_SETTINGS)

_NODE_SETTINGS: Mapping[str, tuple[str, ...]] = {
    DOCKER: ("endpoint",),
    DOCKER_CONTAINER: ("endpoint", "platforms", "driver_opts"),
    KUBERNETES: ("platforms", "driver_opts"),
    REMOTE: ("endpoint", "platforms", "driver_opts", *_TLS_FILES),
}
_LEASE = ("acquire", "release")
_BUILDER_SETTINGS: Mapping[str, tuple[str, ...]] = {
    DOCKER: ("max_builds",),
    DOCKER_CONTAINER: ("nodes", "max_builds", *_CONFIGURED),
    KUBERNETES: ("nodes", "max_builds", *_CONFIGURED),
    REMOTE: ("nodes", "endpoints", *_LEASE, "max_builds", "driver_opts", "boot_timeout"),
}
_POOL_SECONDS = 5
"""A builder of a pool is not waited for as long as one in whose place there is no other."""

_BOOT_SECONDS: Mapping[str, int] = {DOCKER: 20, DOCKER_CONTAINER: 120, KUBERNETES: 120, REMOTE: 20}


def parse_builder_table(name: str, table: object, resolve: ResolvePath) -> BuilderDescription:
    """The builder that a table describes. Raises `InvalidTableError`."""
    if not _NAME.fullmatch(name):
        raise InvalidTableError(
            "",
            "have a name of up to 30 lowercase letters, digits and dashes that starts with a"
            " letter",
            f"its name is {name!r}",
        )
    settings = OptionTable("", table)
    driver = settings.text("driver")
    if driver not in DRIVERS:
        choices = ", ".join(f'"{each}"' for each in DRIVERS)
        found = "it is missing" if driver is None else f"is {driver!r}"
        raise InvalidTableError("driver", f"be one of {choices}", found)
    known = {"driver", *_BUILDER_SETTINGS[driver], *_NODE_SETTINGS[driver]}
    settings.only(known, f" with the driver {driver!r}")
    config_file = settings.text("buildkitd_config")
    buildkitd = _buildkitd(settings, resolve)
    if config_file is not None and buildkitd is not None:
        given = next(key for key in _BUILDKITD_SETTINGS if settings.has(key))
        raise InvalidTableError(
            "buildkitd_config", f"not stand beside `{given}`", "it does. The file has to hold both"
        )
    _check_alternatives(settings)
    is_pool, is_leased = settings.has("endpoints"), any(map(settings.has, _LEASE))
    seconds = _POOL_SECONDS if is_pool else _BOOT_SECONDS[driver]
    return BuilderDescription(
        name=name,
        driver=driver,
        nodes=() if is_pool or is_leased else _nodes(settings, driver, resolve),
        boot_timeout=settings.seconds("boot_timeout", seconds),
        buildkitd=buildkitd,
        buildkitd_config_file=None if config_file is None else resolve(config_file),
        pool=_pool(settings, resolve) if is_pool else (),
        acquire=_command(settings, "acquire", resolve),
        release=_command(settings, "release", resolve),
        max_builds=settings.count("max_builds"),
    )


def parse_acquired_node(table: object) -> NodeDescription:
    """The node that a program hands out: `endpoint`, `cacert`, `cert` and `key`.

    Raises `InvalidTableError`.
    """
    settings = OptionTable("", table)
    settings.only(("endpoint", *_TLS_FILES))
    for key in _TLS_FILES:
        path = settings.text(key)
        # The program does not know where this is read, which is in a sandbox.
        if path is not None and not path.startswith("/"):
            raise InvalidTableError(key, "be an absolute path", f"is {path!r}")
    return _node(settings, REMOTE, (), str)


def _check_alternatives(settings: OptionTable) -> None:
    """A builder has its endpoints from one place."""
    given = [key for key in ("endpoint", "endpoints", "nodes", *_LEASE) if settings.has(key)]
    if settings.has("release") and not settings.has("acquire"):
        raise InvalidTableError("release", "stand beside `acquire`", "there is no `acquire`")
    if settings.has("acquire") and not settings.texts("acquire"):
        raise InvalidTableError("acquire", "name a program and its arguments", "is empty")
    alone = [key for key in given if key != "release"]
    if len(alone) > 1 and alone != ["endpoint", "nodes"]:
        raise InvalidTableError(
            alone[1], "be the only place that has endpoints", f"stands beside `{alone[0]}`"
        )
    if settings.has("acquire") and settings.has("max_builds"):
        raise InvalidTableError(
            "max_builds", "not stand beside `acquire`", "that program says how many there may be"
        )


def _command(settings: OptionTable, key: str, resolve: ResolvePath) -> tuple[str, ...]:
    """A program and its arguments. One that is a path is found like each other path here."""
    program, *arguments = settings.texts(key) or (None,)
    if program is None:
        return ()
    if not program:
        raise InvalidTableError(settings.at(key), "name a program", "its first text is empty")
    return (resolve(program) if "/" in program else program, *arguments)


def _pool(settings: OptionTable, resolve: ResolvePath) -> tuple[NodeDescription, ...]:
    endpoints = settings.texts("endpoints")
    if not endpoints or len(set(endpoints)) < len(endpoints):
        finding = "names one twice" if endpoints else "is empty"
        raise InvalidTableError("endpoints", "be different endpoints, one or more", finding)
    shared = {
        key: settings.content[key]
        for key in ("platforms", "driver_opts", *_TLS_FILES)
        if settings.has(key)
    }
    try:
        return tuple(
            _node(OptionTable("", {**shared, "endpoint": each}), REMOTE, (), resolve)
            for each in endpoints
        )
    except InvalidTableError as e:
        if e.setting != "endpoint":
            raise
        raise InvalidTableError("endpoints", f"each {e.requirement}", e.finding) from None


def _nodes(builder: OptionTable, driver: str, resolve: ResolvePath) -> tuple[NodeDescription, ...]:
    shared = builder.pairs("driver_opts")
    if not builder.has("nodes"):
        return (_node(builder, driver, (), resolve),)
    own = [key for key in _NODE_SETTINGS[driver] if key != "driver_opts" and builder.has(key)]
    if own:
        raise InvalidTableError(own[0], "stand in the entries of `nodes`", "stands beside `nodes`")
    tables = builder.tables("nodes")
    if not tables:
        raise InvalidTableError("nodes", "have an entry for each node", "is empty")
    for table in tables:
        table.only(_NODE_SETTINGS[driver], f" with the driver {driver!r}")
    nodes = tuple(_node(table, driver, shared, resolve) for table in tables)
    endpoints = [node.endpoint for node in nodes]
    if driver != KUBERNETES and len(set(endpoints)) < len(endpoints):
        twice = next(each for each in endpoints if endpoints.count(each) > 1)
        finding = f"two have {twice!r}" if twice else "two have none"
        raise InvalidTableError("nodes", "each have an `endpoint` of its own", finding)
    return nodes


def _node(
    table: OptionTable, driver: str, shared: tuple[tuple[str, str], ...], resolve: ResolvePath
) -> NodeDescription:
    options = {**dict(shared), **dict(table.pairs("driver_opts")), **_tls_files(table, resolve)}
    endpoint = table.text("endpoint")
    where = {f"{table.at('driver_opts')}.{key}": value for key, value in options.items()}
    for setting, value in {**where, table.at("endpoint"): endpoint or ""}.items():
        if _USER_INFO.search(value):
            raise InvalidTableError(
                setting,
                "hold no password",
                "has one, which buildx would write to its configuration",
            )
    if driver == REMOTE:
        _check_remote_endpoint(table, endpoint)
    platforms = table.texts("platforms")
    for platform in platforms:
        if not _PLATFORM.fullmatch(platform):
            raise InvalidTableError(
                table.at("platforms"), 'list platforms such as "linux/arm64"', f"has {platform!r}"
            )
    return NodeDescription(endpoint, platforms, tuple(sorted(options.items())))


def _check_remote_endpoint(table: OptionTable, endpoint: str | None) -> None:
    if endpoint is None or not _REMOTE_ENDPOINT.fullmatch(endpoint):
        raise InvalidTableError(
            table.at("endpoint"),
            'be the address of a BuildKit, such as "unix:///run/buildkit/buildkitd.sock",'
            ' "tcp://buildkit.example:1234" or "ssh://build@buildkit.example"',
            "it is missing" if endpoint is None else f"is {endpoint!r}",
        )
    given = [key for key in _TLS_FILES if table.has(key)]
    if given and not endpoint.startswith("tcp://"):
        raise InvalidTableError(
            table.at(given[0]), 'stand beside an `endpoint` with "tcp://"', f"that is {endpoint!r}"
        )


def _tls_files(table: OptionTable, resolve: ResolvePath) -> dict[str, str]:
    files = {key: table.text(key) for key in _TLS_FILES}
    found = {key: resolve(path) for key, path in files.items() if path is not None}
    for key, needed in (("cert", "key"), ("key", "cert"), ("cert", "cacert")):
        if key in found and needed not in found:
            raise InvalidTableError(
                table.at(key), f"stand beside `{needed}`", f"there is no `{needed}`"
            )
    return found


def _buildkitd(builder: OptionTable, resolve: ResolvePath) -> BuildkitdConfig | None:
    if not any(builder.has(key) for key in _BUILDKITD_SETTINGS):
        return None
    registries = builder.table("registries")
    return BuildkitdConfig(
        registries=tuple(
            _registry(host, registries.table(host), resolve) for host in sorted(registries.content)
        ),
        gc=_garbage_collection(builder.table("gc")),
        entitlements=builder.texts("entitlements"),
    )


def _garbage_collection(table: OptionTable) -> GarbageCollection:
    table.only(("enabled", "reserved_space", "max_used_space", "min_free_space"))
    return GarbageCollection(
        enabled=table.boolean("enabled"),
        reserved_space=table.size("reserved_space"),
        max_used_space=table.size("max_used_space"),
        min_free_space=table.size("min_free_space"),
    )


def _registry(host: str, table: OptionTable, resolve: ResolvePath) -> RegistryConfig:
    table.only(("mirrors", "http", "insecure", "ca", "keypair"))
    if table.boolean("http") and table.boolean("insecure"):
        raise InvalidTableError(
            table.at("insecure"), "not be true beside `http`", "plain HTTP has no certificates"
        )
    return RegistryConfig(
        host=host,
        mirrors=table.texts("mirrors"),
        http=table.boolean("http"),
        insecure=table.boolean("insecure"),
        ca=tuple(resolve(path) for path in table.texts("ca")),
        keypair=tuple(_key_pair(pair, resolve) for pair in table.tables("keypair")),
    )


def _key_pair(table: OptionTable, resolve: ResolvePath) -> ClientKeyPair:
    table.only(("cert", "key"))
    return ClientKeyPair(
        cert=resolve(table.required_text("cert")), key=resolve(table.required_text("key"))
    )
