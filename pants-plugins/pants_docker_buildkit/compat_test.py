from __future__ import annotations

from pants.engine.addresses import Address, Addresses
from pants.engine.fs import CreateDigest, FileContent
from pants.engine.rules import TaskRule, collect_rules

from pants_docker_buildkit import compat
from pants_docker_buildkit.util_rules import build


def test_collections_with_other_elements_have_other_hashes() -> None:
    files = {hash(CreateDigest((FileContent(f"{number}", b""),))) for number in range(1000)}
    assert len(files) == 1000
    addresses = {hash(Addresses((Address("src", target_name=f"{n}"),))) for n in range(1000)}
    assert len(addresses) == 1000


def test_equal_collections_have_equal_hashes() -> None:
    first, second = (CreateDigest((FileContent("a", b"b"),)) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)


def test_a_rule_is_collected_once_and_beside_the_name_that_others_call() -> None:
    # Pants 2.19 to 2.22 take a call of whatever has a `rule` for a call by name of their own.
    assert hasattr(build.build_image, "rule") != compat.GET_STYLE
    collected = [rule for rule in collect_rules(build) if isinstance(rule, TaskRule)]
    names = [rule.canonical_name for rule in collected if rule.output_type is build.BuiltImage]
    assert names == ["pants_docker_buildkit.util_rules.build.build_image"]
