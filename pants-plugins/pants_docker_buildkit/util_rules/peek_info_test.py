from __future__ import annotations

import uuid

from pants.engine.rules import QueryRule

from pants_docker_buildkit.compat import AdditionalTargetData
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules import peek_info


def test_nothing_is_built_in_any_session() -> None:
    if AdditionalTargetData is None:
        assert not peek_info.rules()
        return
    query = QueryRule(AdditionalTargetData, (peek_info.PeekedImageFieldSet,))
    runner = ImageRunner(create_rule_runner(rules=(query,)))
    # In no cache.
    lines = ["FROM scratch", f"LABEL id={uuid.uuid4().hex}"]
    runner.write({"app/BUILD": f"docker_buildkit_image(name='image', instructions={lines})"})
    for _ in range(2):
        # Where something is built, it fails: there is no Docker.
        runner.set_options("docker=/nowhere", inherit=())
        field_set = peek_info.PeekedImageFieldSet.create(runner.target("app:image"))
        shown = runner.runner.request(AdditionalTargetData, (field_set,)).data
        assert (shown["outcome"], shown["problem"]) == ("build", None)
