from __future__ import annotations

import pytest

from pants_docker_buildkit.migration.build_file import (
    ImageUses,
    move_build_file,
    why_defaults_stay,
)

OLD = """\
# Ümlauts count as two bytes.
docker_image(
    name="app",  # the ä of apps
    dependencies=[":server"],
    image_tags=["latest", "{build_args.VERSION}"],
    pull=True,  # always
    squash=False,
    cache_to={"type": "gha", "mode": "max"},
    cache_from=[
        {"type": "gha"},
        {"type": "registry", "ref": "ghcr.io/org/cache"},
    ],
    output={"type": "registry"},
)

files(name="files", sources=["*.txt"])
"""
NEW = """\
# Ümlauts count as two bytes.
docker_buildkit_image(
    name="app",  # the ä of apps
    dependencies=[":server"],
    image_tags=["latest", "{build_args.VERSION}"],
    cache_to=["type=gha,mode=max"],
    cache_from=["type=gha", "type=registry,ref=ghcr.io/org/cache"],
    output="registry",
)

files(name="files", sources=["*.txt"])
"""


def test_a_target_is_renamed_and_its_fields_keep_their_meaning() -> None:
    moved = move_build_file("src/app/BUILD", OLD)
    assert moved.text == NEW
    assert moved.flags == ()
    assert [each.line for each in moved.changes] == [2, 6, 7, 8, 9, 13]
    again = move_build_file("src/app/BUILD", moved.text)
    assert (again.text, again.remarks) == (NEW, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("docker_image()", "docker_buildkit_image()", id="nothing"),
        pytest.param(
            "docker_image(registries=['@a/b', 'https://ghcr.io/', HOST])",
            "docker_buildkit_image(registries=['@a/b', 'https://ghcr.io/', HOST])",
            id="registries",
        ),
        pytest.param(
            "docker_image(name='a', pull=True)", "docker_buildkit_image(name='a')", id="last"
        ),
        pytest.param(
            "docker_image(pull=True, name='a')", "docker_buildkit_image(name='a')", id="first"
        ),
        pytest.param("docker_image(pull=True)", "docker_buildkit_image()", id="only"),
        pytest.param(
            "docker_image(\n    name='a',\n    pull=True\n)",
            "docker_buildkit_image(\n    name='a',\n)",
            id="no-comma-after-it",
        ),
        pytest.param(
            "docker_image(name='ü', skip_push=True)",
            "docker_buildkit_image(name='ü', skip_push=True, output=\"docker\")",
            id="skip-push-in-one-line",
        ),
        pytest.param(
            "docker_image(\n    name='a',\n    skip_push=True,\n)",
            "docker_buildkit_image(\n    name='a',\n    skip_push=True,\n    output=\"docker\",\n)",
            id="skip-push-in-its-line",
        ),
        pytest.param(
            '__defaults__({docker_image: {"pull": True, "registries": ["@a"]}})',
            '__defaults__({docker_buildkit_image: {"registries": ["@a"]}})',
            id="defaults",
        ),
        pytest.param(
            '__defaults__({"docker_image": dict(cache_to={"type": "inline"})})',
            '__defaults__({"docker_buildkit_image": dict(cache_to=["type=inline"])})',
            id="defaults-by-text",
        ),
        pytest.param(
            "__defaults__({(docker_image, pex_binary): dict(tags=['a'])})",
            "__defaults__({(docker_buildkit_image, pex_binary): dict(tags=['a'])})",
            id="defaults-of-several",
        ),
        pytest.param(
            "def image(name):\n    docker_image(name=name, pull=False)\n",
            "def image(name):\n    docker_buildkit_image(name=name)\n",
            id="macro",
        ),
        pytest.param(
            "docker_image(output_files=['a'], outputs_match_mode='all', skip_push=True)",
            "docker_buildkit_image(output_files=['a'], outputs_match_mode='all', skip_push=True)",
            id="files",
        ),
        pytest.param(
            "docker_image(cache_to={'type': 's3', 'name': 'a,b'})",
            "docker_buildkit_image(cache_to=['type=s3,\"name=a,b\"'])",
            id="quoted",
        ),
        pytest.param(
            "docker_image(cache_to=CACHE, cache_from=[{'type': 'registry', 'ref': f'{HOST}/a'}])",
            "docker_buildkit_image(cache_to=CACHE,"
            " cache_from=[{'type': 'registry', 'ref': f'{HOST}/a'}])",
            id="caches-that-are-not-written-out",
        ),
        pytest.param(
            "docker_image(cache_to=dict(type='gha'), output=dict(type='docker'))",
            'docker_buildkit_image(cache_to=["type=gha"], output="docker")',
            id="maps-by-call",
        ),
        pytest.param(
            "docker_image(\n    pull=True  # why\n    , name='a')",
            "docker_buildkit_image(\n    name='a')",
            id="comma-first",
        ),
        pytest.param(
            "docker_image(\n    name='a',  # yes,\n    pull=(True),  # no\n    # end\n)",
            "docker_buildkit_image(\n    name='a',  # yes,\n    # end\n)",
            id="comments-everywhere",
        ),
        pytest.param(
            "__defaults__({docker_image: {'pull': (True), 'tags': ['a']}})",
            "__defaults__({docker_buildkit_image: {'tags': ['a']}})",
            id="parentheses-in-a-map",
        ),
        pytest.param(
            "A = '\u2028'\r\ndocker_image(\r\n    pull=True,\r\n    skip_push=True,\r\n)\r\n",
            "A = '\u2028'\r\ndocker_buildkit_image(\r\n    skip_push=True,\r\n"
            '    output="docker",\r\n)\r\n',
            id="lines-as-python-has-them",
        ),
        pytest.param(
            "docker_image(skip_hadolint=True, skip_trivy=True, name='a')",
            "docker_buildkit_image(name='a')",
            id="linters-of-others",
        ),
        pytest.param(
            "docker_image(\n    name='a',\n    pull=True, squash=False,\n)",
            "docker_buildkit_image(\n    name='a',\n)",
            id="all-of-a-line",
        ),
        pytest.param(
            "docker_image(\n    name='a',\n\n    pull=True,\n)",
            "docker_buildkit_image(\n    name='a',\n)",
            id="blank-line-before-the-last",
        ),
        pytest.param(
            "docker_image(\n    pull=True,\n\n    name='a',\n)",
            "docker_buildkit_image(\n    name='a',\n)",
            id="blank-line-after-the-first",
        ),
        pytest.param(
            "docker_image(\n    name='a',\n\n    pull=True,\n    squash=False,\n\n    tags=[],\n)",
            "docker_buildkit_image(\n    name='a',\n\n    tags=[],\n)",
            id="blank-lines-around",
        ),
        pytest.param(
            "docker_image(\n    name='a', pull=True,\n    tags=[], squash=False,  # all\n)",
            "docker_buildkit_image(\n    name='a',\n    tags=[],  # all\n)",
            id="end-of-a-line",
        ),
        pytest.param(
            "docker_image(name='a', pull=True, squash=False)",
            "docker_buildkit_image(name='a')",
            id="last-two",
        ),
        pytest.param(
            "docker_image(pull=True, squash=False)", "docker_buildkit_image()", id="only-two"
        ),
        pytest.param(
            "docker_image(name='a',\n    pull=True,\n    skip_trivy=True, squash=False)",
            "docker_buildkit_image(name='a')",
            id="last-three",
        ),
        pytest.param(
            "docker_image(\n    name='a',  # yes,\n    pull=True, squash=False\n)",
            "docker_buildkit_image(\n    name='a',  # yes,\n)",
            id="last-line",
        ),
        pytest.param(
            "docker_image(name='a', skip_push=True, pull=True)",
            "docker_buildkit_image(name='a', skip_push=True, output=\"docker\")",
            id="last-after-skip-push",
        ),
        pytest.param(
            "__defaults__({docker_image: {'pull': True, 'squash': False}})",
            "__defaults__({docker_buildkit_image: {}})",
            id="only-two-defaults",
        ),
    ],
)
def test_what_is_written_is_what_ours_means(before: str, after: str) -> None:
    assert move_build_file("src/BUILD", before).text == after


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param("extra_build_options=['--x']", "shm_size", id="options"),
        pytest.param("output={'type': 'local', 'dest': 'x'}", "`output`", id="output"),
        pytest.param("output=OUTPUT", "not written out", id="output-elsewhere"),
        pytest.param("build_network='web'", "`RUN` steps have", id="network"),
        pytest.param("registries=['company']", "part of a repository", id="no-registry"),
        pytest.param("environment='docker'", "builds where Pants runs", id="environment"),
        pytest.param("invented=1", "no such field", id="unknown"),
    ],
)
def test_what_has_no_equivalent_stays_with_a_reason(fields: str, reason: str) -> None:
    text = f"docker_image(name='a', pull=True, {fields})\ndocker_image(name='b')\n"
    moved = move_build_file("src/BUILD", text)
    assert moved.text == text.replace("docker_image(name='b'", "docker_buildkit_image(name='b'")
    (flag,) = moved.flags
    assert flag.line == 1
    assert flag.text.startswith("stays a docker_image. ")
    assert reason in flag.text


def test_an_image_that_others_build_on_goes_to_its_registry_and_is_not_published() -> None:
    text = "docker_image(name='base', skip_push=True)\ndocker_image(skip_push=True)\n"
    moved = move_build_file("src/app/BUILD", text, ImageUses(bases={"src/app:base", "src/app:app"}))
    assert moved.text == text.replace("docker_image", "docker_buildkit_image")
    assert [each.line for each in moved.flags] == [1, 2]


LAYERED = """\
docker_image(
    name="deps",
    registries=["company"],
    repository='app',
    skip_push=True,
)
docker_image(name="app", dependencies=[":deps"], image_tags=["1"])
"""
NAMES = {"src/app:app": {"company/app:deps": "src/app:deps", "tool": "src/tool:tool"}}


def test_images_that_are_found_by_their_tags_are_named_by_their_addresses() -> None:
    uses = ImageUses(bases={"src/app:deps"}, names=NAMES)
    moved = move_build_file("src/app/BUILD", LAYERED, uses)
    contexts = '{"company/app:deps": ":deps", "tool": "src/tool:tool"}'
    assert moved.text == (
        LAYERED.replace("docker_image", "docker_buildkit_image")
        .replace('["company"]', "[]")
        .replace("'app'", '"company/app"')
        .replace('[":deps"]', f'[":deps"], build_contexts={contexts}')
    )
    assert moved.flags == ()


def test_an_image_for_the_local_engine_only_needs_no_registry() -> None:
    moved = move_build_file("src/app/BUILD", LAYERED)
    assert "    registries=[],\n" in moved.text
    assert '    repository="company/app",\n    skip_push=True,\n    output="docker",' in moved.text


def test_an_image_stays_that_one_that_stays_finds_by_its_tag() -> None:
    text = "docker_image(name='deps')\ndocker_image(name='app', odd=1)\n"
    moved = move_build_file("src/app/BUILD", text)
    assert moved.stayed == {"src/app:app"}
    moved = move_build_file("src/app/BUILD", text, ImageUses(kept={"src/app:deps": "because"}))
    assert moved.text == text
    assert moved.flags[0].text == "stays a docker_image. because"


def test_an_image_stays_that_names_others_by_tags_and_has_no_place_to_say_so() -> None:
    text = "docker_image(name='app')\n"
    moved = move_build_file("src/app/BUILD", text, ImageUses(names=NAMES))
    assert moved.text == text
    assert '`build_contexts={"company/app:deps": ":deps"' in moved.flags[0].text


def test_what_cannot_be_seen_is_pointed_at() -> None:
    moved = move_build_file("src/BUILD", "docker_image(name='a', squash=True, **common)\n")
    assert moved.text == "docker_buildkit_image(name='a', **common)\n"
    assert len(moved.flags) == 2
    text = "docker_image(skip_push=IS_LOCAL)\nimage = docker_image\nRULES = ['<docker_image>']\n"
    moved = move_build_file("src/BUILD", text)
    assert [each.line for each in moved.flags] == [1, 2, 3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("**{'pull': True, 'tags': ['a']}", "**{'tags': ['a']}"),
        ("**dict(tags=['a'], squash=False)", "**dict(tags=['a'])"),
        (
            "**parametrize('a', pull=True, tags=['a']), **parametrize('b', skip_trivy=True)",
            "**parametrize('a', tags=['a']), **parametrize('b')",
        ),
        (
            "output=parametrize(a={'type': 'registry'}, b={'type': 'docker'})",
            'output=parametrize(a="registry", b="docker")',
        ),
    ],
)
def test_fields_that_are_unpacked_or_have_several_values_move_too(before: str, after: str) -> None:
    moved = move_build_file("src/BUILD", f"docker_image(name='a', {before})\n")
    assert moved.text == f"docker_buildkit_image(name='a', {after})\n"
    assert not moved.flags


@pytest.mark.parametrize(
    "fields",
    [
        "**{'extra_build_options': {}}",
        "**parametrize('a', output={'type': 'local', 'dest': 'a'})",
        "build_network=parametrize('default', 'container:a')",
        "registries=parametrize(['@a'], b=['company'])",
        "output=parametrize(a={'type': 'registry'}, b=B)",
    ],
)
def test_one_of_several_values_without_an_equivalent_keeps_a_target(fields: str) -> None:
    text = f"docker_image(name='a', {fields})\n"
    moved = move_build_file("src/BUILD", text)
    assert moved.text == text
    assert moved.flags[0].text.startswith("stays a docker_image. `")


@pytest.mark.parametrize(
    "fields",
    ["**{**COMMON}", "**{'skip_push': True}", "**dict(COMMON)", "**parametrize('a', **COMMON)"],
)
def test_unpacked_fields_that_say_what_becomes_of_others_are_pointed_at(fields: str) -> None:
    moved = move_build_file("src/BUILD", f"docker_image(name='a', {fields})\n")
    assert [each.text for each in moved.flags] == [
        "its fields are not all in sight: check those in the guide"
    ]


@pytest.mark.parametrize(
    "defaults",
    ["COMMON", "make(pull=True)", "dict(COMMON, tags=[])", "dict(**COMMON)", "{**COMMON}"],
)
def test_defaults_that_cannot_be_seen_are_pointed_at(defaults: str) -> None:
    text = f"__defaults__({{docker_image: {defaults}}})\n"
    moved = move_build_file("src/BUILD", text)
    assert moved.text == text.replace("docker_image", "docker_buildkit_image")
    (flag,) = moved.flags
    assert "not all in sight" in flag.text


def test_fields_of_all_targets_that_only_ours_have_are_pointed_at() -> None:
    text = "__defaults__({}, all=dict(environment='far', resolve='x', tags=['x']))\n"
    (flag,) = move_build_file("BUILD", text).flags
    own = '{"docker_buildkit_image": dict(environment="__local__", resolve=None)}'
    assert flag.text.endswith(f"begin with `{own}`")
    assert move_build_file("BUILD", text.replace("{}", own)).flags == ()
    assert move_build_file("BUILD", "__defaults__(all=dict(tags=['x']))\n").flags == ()


def test_a_macro_keeps_images_local_unless_others_build_on_one_of_them() -> None:
    text = "def image(name, **fields):\n    docker_image(name=name, skip_push=True, **fields)\n"
    moved = move_build_file("macros.py", text, is_macro=True)
    assert 'skip_push=True, output="docker", **fields' in moved.text
    kept = move_build_file("macros.py", text, ImageUses(bases={"src:base"}), is_macro=True)
    assert "output" not in kept.text
    assert any('`output="docker"`' in each.text for each in kept.flags)


DEFAULTS = """\
__defaults__(
    {
        docker_image: dict(pull=True, registries=["@a"]),  # all
        pex_binary: dict(tags=["x"]),
    }
)
"""


def test_defaults_stay_where_images_of_the_old_kind_stay() -> None:
    moved = move_build_file("src/BUILD", DEFAULTS, keeps_defaults=True)
    new = '        docker_buildkit_image: dict(registries=["@a"]),\n        docker_image:'
    assert moved.text == DEFAULTS.replace("        docker_image:", new)
    again = move_build_file("src/BUILD", moved.text, keeps_defaults=True)
    assert (again.text, again.changes) == (moved.text, ())


def test_targets_stay_whose_defaults_cannot_move() -> None:
    text = "__defaults__({docker_image: dict(environment='far')})\ndocker_image(name='a')\n"
    assert why_defaults_stay("src/BUILD", text) == (
        "the defaults in src/BUILD, line 1, stay. `environment`:"
        " docker_buildkit_image builds where Pants runs"
    )
    assert why_defaults_stay("src/BUILD", DEFAULTS) is None
    moved = move_build_file("src/BUILD", text, blocked="the defaults stay")
    assert moved.text == text
    assert "the defaults stay" in moved.flags[-1].text
