"""A credential helper of Docker's that asks the session.

https://github.com/docker/docker-credential-helpers#development
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.session.unix_socket import SessionProblemError
from pants_docker_buildkit.solver.docker_config import repository_for
from pants_docker_buildkit.solver.errors import EXIT_FAILED

# What a helper says of a registry that it has nothing for, to the letter.
_NO_CREDENTIALS = "credentials not found in native keychain"


def give_credentials(session: SessionClient, action: str = "get") -> int:
    """Answer what the standard input asks, for the configuration that Docker was given.

    Gives the exit code. Nothing is ever stored or erased.
    """
    server = sys.stdin.read().strip()
    config = Path(os.environ["DOCKER_CONFIG"])
    repository = repository_for(server, config) if action == "get" else None
    try:
        found = None if repository is None else session.credentials(*repository)
    except SessionProblemError as e:
        print(e)
        return EXIT_FAILED
    secret = found and (found.identity_token or found.password)
    if found is None or not secret:
        print(_NO_CREDENTIALS)
        return EXIT_FAILED
    username = "<token>" if found.identity_token else found.username
    print(json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))
    return 0
