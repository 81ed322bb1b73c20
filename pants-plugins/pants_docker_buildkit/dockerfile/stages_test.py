from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from pants_docker_buildkit.dockerfile.analysis import (
    ContextPath,
    DockerfileAnalysis,
    Material,
    Origin,
    OriginKind,
    RemoteKind,
    RemoteSource,
)
from pants_docker_buildkit.dockerfile.parser import KnownBase, parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import (
    UnknownStageError,
    analyze,
    undeclared_build_args,
)
from pants_docker_buildkit.oci.image_platform import ImagePlatform

AMD64 = ImagePlatform.parse("linux/amd64")
ARM64 = ImagePlatform.parse("linux/arm64")
DIGEST = "sha256:" + "a" * 64


def analyze_text(text: str, **options: Any) -> DockerfileAnalysis:
    options = {"build_args": {}, "target_platform": AMD64, "build_platform": AMD64, **options}
    return analyze(parse_dockerfile(text), **options)


def bases(text: str, **options: Any) -> list[tuple[OriginKind, str]]:
    stages = analyze_text(text, **options).stages
    return [(stage.base.kind, stage.base.text) for stage in stages]


def paths(text: str, **options: Any) -> list[str | None]:
    return [path.path for path in analyze_text(text, **options).context_paths]


def test_a_stage_is_based_on_an_image_a_stage_or_nothing() -> None:
    text = f"FROM a:1 AS x\nFROM x\nFROM scratch\nFROM repo@{DIGEST}\nFROM X\n"
    assert bases(text) == [
        (OriginKind.IMAGE, "a:1"),
        (OriginKind.STAGE, "x"),
        (OriginKind.SCRATCH, "scratch"),
        (OriginKind.IMAGE, f"repo@{DIGEST}"),
        (OriginKind.IMAGE, "X"),
    ]


@pytest.mark.parametrize("address", ["//src/base:image", ":base", "src/base:image", "//src/base"])
def test_an_address_in_an_argument_is_kept_as_it_is(address: str) -> None:
    text = f"# hi\nARG BASE={address}\nARG OTHER=1\nFROM $BASE\n"
    analysis = analyze_text(text)
    assert analysis.stages[0].base == Origin(
        OriginKind.IMAGE, address, 4, platform=AMD64, arguments=("BASE",)
    )
    (argument,) = analysis.image_arguments
    assert (argument.name, argument.line, argument.value) == ("BASE", 2, address)
    assert not analysis.limits
    pinned = analyze_text(text, build_args={"BASE": f"r/x@{DIGEST}"})
    assert pinned.stages[0].base.text == f"r/x@{DIGEST}"


def test_arguments_behind_other_arguments_decide_the_image_too() -> None:
    text = "ARG V=//a:b\nARG BASE=$V\nARG UNUSED=2\nFROM $BASE\n"
    analysis = analyze_text(text)
    assert [argument.name for argument in analysis.arguments] == ["V", "BASE", "UNUSED"]
    assert [argument.name for argument in analysis.image_arguments] == ["V", "BASE"]


@pytest.mark.parametrize(
    "text",
    [
        f"ARG R=localhost:5000/\nFROM ${{R}}app/base@{DIGEST}\n",
        "ARG SUFFIX=-slim\nFROM python${SUFFIX}\n",
        "ARG TAG=RELEASE.2024-01-01T00-00-00Z\nFROM minio/minio:$TAG\n",
        "ARG KIND=debug\nFROM a AS debug\nFROM $KIND\n",
    ],
)
def test_an_argument_that_is_a_part_of_a_name_or_a_stage_is_not_an_image(text: str) -> None:
    analysis = analyze_text(text)
    assert analysis.image_arguments == ()
    assert not analysis.limits


def test_arguments_of_stages_out_of_reach_are_known_apart() -> None:
    text = "ARG A=:a\nARG B=:b\nARG C=$B\nARG D=:d\nFROM $A AS a\nFROM $C AS c\nFROM $A\n"
    analysis = analyze_text(text)
    assert [argument.name for argument in analysis.image_arguments] == ["A"]
    assert [argument.name for argument in analysis.unreached_arguments] == ["B", "C"]
    assert analyze_text(text, target_stage="c").unreached_arguments[0].name == "A"


def test_an_argument_that_is_declared_again_keeps_what_it_stood_for() -> None:
    text = "ARG BASE=//a:b\nARG IMG=${BASE}\nARG IMG=${IMG}\nFROM $IMG\n"
    arguments = analyze_text(text).image_arguments
    assert [(each.name, each.value) for each in arguments] == [("BASE", "//a:b"), ("IMG", "//a:b")]


def test_only_the_stages_that_the_target_needs_are_reachable() -> None:
    text = "FROM a AS x\nFROM b AS y\nFROM c AS z\nCOPY --from=X / /\nFROM d AS last\n"
    reachable = analyze_text(text, target_stage="Z").reachable_stages
    assert [stage.name for stage in reachable] == ["x", "z"]
    assert analyze_text(text).target == 3
    materials = analyze_text(text, target_stage="z").materials
    assert [material.reference for material in materials] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "target", "base"),
    [
        ("FROM a AS x\nFROM b AS y\nFROM x\n", None, "a"),
        ("FROM a AS x\nFROM b AS y\nFROM x\n", "y", "b"),
        ("FROM a AS x\nFROM x AS x\nFROM x\n", None, "a"),
        ("FROM a AS x\nFROM b AS x\nFROM x\n", None, "b"),
        ("FROM a AS x\nFROM scratch\nCOPY --from=x / /\n", None, "scratch"),
    ],
)
def test_the_final_base_is_behind_all_stages(text: str, target: str | None, base: str) -> None:
    found = analyze_text(text, target_stage=target).final_base
    assert found is not None
    assert found.text == base


def test_without_a_target_there_is_no_final_base() -> None:
    assert analyze_text("").final_base is None


def test_materials_are_named_once_per_platform_after_the_frontend() -> None:
    text = (
        "# syntax=docker/dockerfile:1\n"
        "FROM --platform=$BUILDPLATFORM a AS build\n"
        "FROM a\n"
        "COPY --from=a /x /\n"
        "RUN --mount=from=b,target=/b --mount=type=cache,target=/c true\n"
        "COPY --from=build / /\n"
    )
    assert analyze_text(text, target_platform=ARM64).materials == (
        Material("docker/dockerfile:1", None, (1,)),
        Material("a", AMD64, (2,)),
        Material("a", ARM64, (3, 4)),
        Material("b", ARM64, (5,)),
    )


def test_the_base_may_depend_on_the_platform() -> None:
    text = "FROM a AS base-amd64\nFROM b AS base-arm64\nFROM base-$TARGETARCH\n"
    analysis = analyze_text(text, target_platform=ARM64)
    assert analysis.stages[2].base.text == "base-arm64"
    assert [material.reference for material in analysis.materials] == ["b"]


def test_sources_from_the_build_context_are_expanded_and_normalised() -> None:
    text = (
        "FROM scratch\n"
        "ARG D=src V\n"
        "COPY --exclude=*.md --exclude=x $D/./main/ ../up /abs/*.txt /\n"
        "ADD <<EOF local.tar https://example.com/$V.tgz /\nx\nEOF\n"
        "ADD --checksum=sha256:$V https://example.com/r.git#main /\n"
        'COPY --parents ["./a b/./**/*.py", "/"]\n'
        "RUN --mount=target=/src --mount=source=$D,target=/s make\n"
    )
    stage = analyze_text(text, build_args={"V": "1"}).stages[0]
    assert stage.context_paths == (
        ContextPath(3, "COPY", "src/main", has_exclusions=True),
        ContextPath(3, "COPY", "up", has_exclusions=True),
        ContextPath(3, "COPY", "abs/*.txt", has_wildcard=True, has_exclusions=True),
        ContextPath(4, "ADD", "local.tar"),
        ContextPath(8, "COPY", "a b/**/*.py", has_wildcard=True, keeps_parents=True),
        ContextPath(9, "RUN", "."),
        ContextPath(9, "RUN", "src"),
    )
    assert stage.remote_sources == (
        RemoteSource(4, RemoteKind.HTTP, "https://example.com/1.tgz"),
        RemoteSource(7, RemoteKind.GIT, "https://example.com/r.git#main", "sha256:1"),
    )


def test_a_url_that_is_copied_is_neither_downloaded_nor_in_the_context() -> None:
    (stage,) = analyze_text("FROM scratch\nCOPY https://example.com/a /\n").stages
    assert (stage.remote_sources, stage.context_paths) == ((), ())


def test_a_variable_that_the_base_image_may_set_is_not_guessed() -> None:
    analysis = analyze_text("FROM python\nENV P=$VERSION\nCOPY a-$P b /\n")
    assert [path.path for path in analysis.context_paths] == [None, "b"]
    (limit,) = analysis.limits
    assert str(limit) == ("line 3: 'a-$P' depends on a variable whose value is not known here")


def test_a_variable_of_the_dockerfile_hides_the_base_images() -> None:
    assert paths("FROM python\nARG V=1\nCOPY a-$V /\n") == ["a-1"]
    assert paths("FROM python\nENV V=1\nCOPY a-$V /\n") == ["a-1"]
    assert paths("FROM scratch\nCOPY a-$V-${PATH%%/*} /\n") == ["a--"]


def test_a_stage_inherits_the_variables_of_its_base() -> None:
    text = "FROM scratch AS a\nARG A=1\nENV B=2\nFROM a\nCOPY $A$B /\nFROM scratch\nCOPY x$A /\n"
    assert paths(text, target_stage=None) == ["x"]
    assert paths(text.partition("FROM scratch\n")[0]) == ["12"]


@pytest.mark.parametrize(
    ("argument", "given", "is_read"),
    [
        ("=one", {}, True),
        ("=ONE", {}, True),
        ("=two", {"SOURCE_DATE_EPOCH": "one"}, True),
        ("", {"SOURCE_DATE_EPOCH": "one"}, True),
        ("=one", {"SOURCE_DATE_EPOCH": "7"}, False),
        ("=none", {}, False),
    ],
)
def test_the_stage_that_gives_the_time_is_read(
    argument: str, given: dict[str, str], is_read: bool
) -> None:
    stage = "FROM scratch AS One\nADD https://a.example/b /\n"
    text = f"ARG SOURCE_DATE_EPOCH{argument}\n{stage}FROM scratch\n"
    one, two = analyze_text(text, build_args=given).stages
    assert [each.url for each in one.remote_sources] == ["https://a.example/b"] * is_read
    assert two.is_reachable


def test_triggers_run_in_the_stages_based_on_theirs() -> None:
    text = (
        "FROM tools AS t\nFROM scratch AS a\nARG V=1\nONBUILD COPY --from=t / /\n"
        "ONBUILD COPY $V-$W /\nFROM a AS b\nFROM b\n"
    )
    analysis = analyze_text(text)
    assert [stage.index for stage in analysis.reachable_stages] == [0, 1, 2, 3]
    assert [(path.path, path.line) for path in analysis.context_paths] == [("1-", 6)]


def test_a_named_context_stands_in_for_images_and_stages() -> None:
    text = "FROM a AS x\nCOPY y /\nFROM docker.io/library/b:latest\nCOPY --from=x / /\n"
    analysis = analyze_text(text, named_contexts=["x", "b"])
    assert analysis.stages[0].is_replaced
    assert [(origin.kind, origin.text) for origin in analysis.origins] == [
        (OriginKind.NAMED_CONTEXT, "x"),
        (OriginKind.NAMED_CONTEXT, "b"),
        (OriginKind.STAGE, "x"),
    ]
    assert analysis.context_paths == ()
    assert analysis.materials == ()


def test_a_named_context_is_no_stage_of_the_same_name() -> None:
    text = "FROM a AS b\nFROM docker.io/library/c\nFROM scratch AS c\n"
    analysis = analyze_text(text, named_contexts=["c"])
    kinds = [stage.base.kind for stage in analysis.stages]
    assert kinds == [OriginKind.IMAGE, OriginKind.NAMED_CONTEXT, OriginKind.NAMED_CONTEXT]
    text = "FROM a AS b\nFROM docker.io/library/b\n"
    assert analyze_text(text, named_contexts=["b"]).stages[1].base.kind is OriginKind.NAMED_CONTEXT


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        pytest.param("FROM a\nCOPY --from=b x /", {"a", "b"}, id="from-and-copy"),
        pytest.param("FROM scratch\nRUN --mount=from=c true", {"c"}, id="mount"),
        pytest.param("FROM a AS x\nFROM scratch", set(), id="not-reached"),
        pytest.param("FROM x AS b\nFROM b", {"b"}, id="in-place-of-a-stage"),
        pytest.param("ARG SOURCE_DATE_EPOCH=b\nFROM x AS b\nFROM y", {"b"}, id="time"),
        pytest.param("FROM scratch\nONBUILD COPY --from=a x /", set(), id="for-a-child"),
        pytest.param("FROM $UNKNOWN\nFROM a", None, id="not-understood"),
        pytest.param("# syntax=other\nFROM a", None, id="unknown-frontend"),
    ],
)
def test_the_named_contexts_that_a_target_needs(text: str, needed: set[str] | None) -> None:
    assert analyze_text(text, named_contexts=["a", "b", "c"]).named_contexts == needed


def test_a_named_context_called_context_is_an_image_but_no_stage() -> None:
    text = "FROM a AS context\nFROM b AS scratch\nFROM context\nCOPY --from=Context x /\n"
    kinds = [stage.base.kind for stage in analyze_text(text, named_contexts=["context"]).stages]
    assert kinds == [OriginKind.IMAGE, OriginKind.IMAGE, OriginKind.STAGE]
    text = "FROM scratch\nCOPY --from=context x /\n"
    analysis = analyze_text(text, named_contexts=["context", "scratch"])
    assert analysis.named_contexts == frozenset({"context"})


@pytest.mark.parametrize("syntax", ["docker/dockerfile:1", "docker.io/org/other:2"])
def test_a_named_context_stands_in_for_the_frontend(syntax: str) -> None:
    name = syntax.removeprefix("docker.io/")
    analysis = analyze_text(f"# syntax={syntax}\nFROM scratch\n", named_contexts=[name, "x"])
    assert analysis.frontend_context == name
    assert analysis.materials == ()


def test_a_named_context_may_be_for_one_platform() -> None:
    text = "FROM a\n"
    contexts = ["a::linux/arm64"]
    arm = bases(text, named_contexts=contexts, target_platform=ARM64)
    assert arm == [(OriginKind.NAMED_CONTEXT, "a::linux/arm64")]
    assert bases(text, named_contexts=contexts) == [(OriginKind.IMAGE, "a")]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("ARG BASE\nFROM $BASE\n", 2, "the base '$BASE' names no image; not set: 'BASE'"),
        ("FROM python:$V\n", 1, "the base 'python:$V' names no image; not set: 'V'"),
        ("FROM ${B:?is}\n", 1, "the base must have a value for the variable 'B': is"),
        ("FROM --platform=$P a\n", 1, "the platform '$P' must"),
        ("FROM --platform=linux a\n", 1, "the platform 'linux' must name an architecture too"),
        ("FROM --platform=sun/sun4 a\n", 1, "the platform 'sun/sun4' must name one of these"),
        ("FROM a:${\n", 1, "the base must close the variable with '}'"),
        ("ARG A=1\n", None, "the stage to build is not found"),
        ("FROM a\nCOPY --from=1 b /\n", 2, "'--from=1' is not the index of a stage"),
        ("FROM a\nCOPY --from=$X b /\n", 2, "'--from=$X' may not have variables or quotes"),
        ("FROM scratch\nCOPY ${X?oh} /\n", 2, "'${X?oh}' must have a value for the variable 'X'"),
        ("FROM a\nRUN --mount=type=${T:-cache} b\n", 2, "the mount 'type=${T:-cache}' is not"),
        ("FROM a\nRUN --mount=type=disk b\n", 2, "the mount 'type=disk' is not understood"),
    ],
)
def test_what_is_not_understood_is_a_limit(text: str, line: int | None, why: str) -> None:
    (limit,) = analyze_text(text).limits
    assert limit.line == line
    assert limit.why.startswith(why)


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nCOPY --from=0 b /\n",
        "FROM a AS x\nCOPY --from=y b /\nFROM c AS y\nFROM x\n",
        "FROM a\nCOPY https://x/y /\n",
        "FROM a AS 1\nFROM b c d\n",
        "FROM a\nRUN --mount=type=${T:-cache},target=/c --mount=from=b,required=${R:-true} c\n",
        "ENV A=1\nFROM a\n",
    ],
)
def test_what_buildkit_says_better_is_left_to_it(text: str) -> None:
    assert analyze_text(text).target is not None


def test_a_variable_that_doubles_with_every_line_is_given_up_in_time() -> None:
    lines = ["FROM scratch", "ENV x=0123456789", *(["ENV x=$x$x"] * 40), "COPY $x /"]
    started = time.process_time()
    analysis = analyze_text("\n".join(lines))
    assert time.process_time() - started < 1
    assert [path.path for path in analysis.context_paths] == [None]
    assert [limit.line for limit in analysis.limits] == [43]


def test_thousands_of_stages_are_analysed_in_time() -> None:
    stages = [f"FROM s{number} AS s{number + 1}\nENV V{number}=1" for number in range(2000)]
    text = "\n".join(["FROM scratch AS s0", *stages, "COPY --from=s7 a$V1999 b"])
    started = time.process_time()
    assert len(analyze_text(text).reachable_stages) == 2001
    assert time.process_time() - started < 3


def test_an_unknown_frontend_leaves_nothing_but_a_limit() -> None:
    analysis = analyze_text("# syntax=example.com/mine:1\nFROM\n")
    assert analysis.limits
    assert analysis.stages == ()
    assert analysis.materials == (Material("example.com/mine:1", None, (1,)),)
    assert undeclared_build_args(analysis, ["X"]) == ()


def test_an_unknown_target_is_answered_with_the_stages_there_are() -> None:
    with pytest.raises(UnknownStageError) as raised:
        analyze_text("FROM a AS build\nFROM b AS release\n", target_stage="prod")
    assert str(raised.value) == (
        "The Dockerfile must have the stage 'prod', but it does not. "
        "Stages there: 'build', 'release'."
    )


def test_an_unknown_target_of_a_file_that_is_not_understood_is_left_to_buildkit() -> None:
    analysis = analyze_text("FROM a AS build\nFETCH b AS release\n", target_stage="release")
    assert analysis.target is None
    assert analysis.reachable_stages == ()


def test_build_arguments_that_nothing_declares_are_found() -> None:
    text = "ARG G\nFROM a AS unreachable\nARG U\nFROM b\nARG S\n"
    given = ["G", "S", "U", "X", "TARGETARCH", "http_proxy", "Http_Proxy", "BUILDKIT_OF_TOMORROW"]
    assert undeclared_build_args(analyze_text(text), given) == ("U", "X")


def test_an_analysis_can_be_a_key() -> None:
    text = "FROM a\nCOPY b /\nRUN --mount=type=secret,id=s true\n"
    assert len({analyze_text(text), analyze_text(text), parse_dockerfile(text)}) == 2


def triggered(text: str, *triggers: str, **options: Any) -> DockerfileAnalysis:
    """The analysis of a file where the image `base` has these triggers on linux/amd64."""
    parsed = replace(parse_dockerfile(text), known_bases=(KnownBase("base", AMD64, triggers),))
    options = {"build_args": {}, "target_platform": AMD64, "build_platform": AMD64, **options}
    return analyze(parsed, **options)


def test_triggers_of_an_image_come_before_what_the_stage_does_itself() -> None:
    found = triggered("FROM base\nCOPY own-$NAME /\n", "ARG NAME=a", "COPY from-$NAME /")
    assert [path.path for path in found.context_paths] == ["from-a", "own-a"]
    assert [path.line for path in found.context_paths] == [1, 2]


def test_a_trigger_declares_build_arguments() -> None:
    found = triggered("FROM base\n", "ARG NAME", build_args={"NAME": "a", "OTHER": "b"})
    assert undeclared_build_args(found, ["NAME", "OTHER"]) == ("OTHER",)


def test_a_stage_of_the_child_comes_before_an_image_that_a_trigger_names() -> None:
    text = "FROM scratch AS tools\nCOPY tool /\nFROM base\n"
    found = triggered(text, "COPY --from=tools /tool /", "COPY --from=other:1 /a /")
    assert [each.reference for each in found.materials] == ["base", "other:1"]
    assert [path.path for path in found.context_paths] == ["tool"]


def test_triggers_are_those_for_the_platform_of_the_base() -> None:
    text = "FROM --platform=linux/arm64 base\n"
    assert triggered(text, "COPY a /").context_paths == ()


def test_triggers_run_once_and_not_in_what_is_built_on_the_child() -> None:
    found = triggered("FROM base AS child\nFROM child\n", "COPY a /")
    assert [(path.path, path.line) for path in found.context_paths] == [("a", 1)]


def test_a_stage_says_what_it_triggers_itself() -> None:
    found = triggered("FROM base\nONBUILD COPY b /\nONBUILD RUN make\n", "COPY a /")
    assert found.stages[0].triggers == ("COPY b /", "RUN make")
    assert [(each.text, each.platform) for each in found.outside_bases] == [("base", AMD64)]


def test_a_trigger_that_uses_the_platform_of_the_builder_is_a_use() -> None:
    assert triggered("FROM base\n", "ARG BUILDARCH").builder_arguments == {"BUILDARCH"}
    assert triggered("FROM base\n", "ARG TARGETARCH").builder_arguments == frozenset()
