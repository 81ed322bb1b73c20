"""Which variables of the user's environment does buildx get, and which of them change an image?

`docs/picked-up.md` says of each, and of each file, who reads it and what becomes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PROXY_VARIABLES = tuple(
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY")
    for spelling in (name, name.lower())
)
_PROGRAM = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR")
_DIRECTORIES = ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
_DOCKER = (
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
)
_BUILDERS = ("BUILDX_BUILDER", "BUILDX_CONFIG", "KUBECONFIG", "SSH_AUTH_SOCK")
CLUSTER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
"""By which a program in a pod finds its cluster (client-go, `rest.InClusterConfig`)."""

_GITHUB_CACHE = (
    "ACTIONS_CACHE_SERVICE_V2",
    "ACTIONS_CACHE_URL",
    "ACTIONS_RESULTS_URL",
    "ACTIONS_RUNTIME_TOKEN",
)
_AMAZON_CACHE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)

WITH_SECRETS = (
    *PROXY_VARIABLES,
    "ACTIONS_RUNTIME_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""Those whose values are secret, or may have a password in them."""

PASSED = (
    *_PROGRAM,
    *_DIRECTORIES,
    *_DOCKER,
    *_BUILDERS,
    *CLUSTER_VARIABLES,
    *PROXY_VARIABLES,
    *_GITHUB_CACHE,
    *_AMAZON_CACHE,
)
"""What a program needs to find its own files, and what Docker, buildx, SSH and caches document.

None of them can change an image, and none is in any key. All others are shut out.
"""

PATHS = (
    *("BUILDX_CONFIG", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "KUBECONFIG"),
    *("SSH_AUTH_SOCK", "TMPDIR"),
    *("AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)
"""Those that name a file or a directory."""

LISTS_OF_PATHS = ("KUBECONFIG",)
"""Those of them that may name several, separated as in `PATH`."""

REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "SOURCE_DATE_EPOCH": "set it as a build argument, which is in the key",
        "DOCKER_DEFAULT_PLATFORM": "set `default_platforms`",
        "BUILDX_GIT_LABELS": "set `image_labels`",
        "BUILDX_GIT_INFO": "the sandbox of a build is in no worktree",
        "BUILDX_NO_DEFAULT_OCI_ARTIFACT": "it changes what is pushed",
        "BUILDX_SEND_GIT_QUERY_AS_INPUT": "it changes how Git repositories are read",
        "BUILDX_METADATA_PROVENANCE": "the plugin sets it",
        "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": "the plugin sends a policy of its own",
        "DOCKER_AUTH_CONFIG": "the plugin reads it itself, and it would win over the accounts",
    }
)
"""What changes an image, or what a build needs, and would be in no key; and what to do instead."""
