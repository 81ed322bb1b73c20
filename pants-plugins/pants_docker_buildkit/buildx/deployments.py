"""Where are the pods of a builder of the driver `kubernetes`, and how are they looked at?"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Deployment:
    """What runs the pods of a node: it has the node's name, and is in a namespace.

    Without one it is in that of the kubeconfig's context.
    """

    node: str
    namespace: Optional[str] = None

    @property
    def name(self) -> str:
        """What the cluster knows it by (buildx, `driver/kubernetes/factory.go`)."""
        return self.node.replace("_", "-")


def describe_pods(deployments: Iterable[Deployment]) -> tuple[str, ...]:
    """The commands, each in quotes, that show what has become of the pods.

    A label finds them, and what makes them: with a volume that is no deployment.
    """
    return tuple(f"'{_describe(each)}'" for each in deployments)


def _describe(deployment: Deployment) -> str:
    namespace = deployment.namespace
    where = "" if namespace is None else f" --namespace={shlex.quote(namespace)}"
    return f"kubectl describe all{where} --selector=app={deployment.name}"
