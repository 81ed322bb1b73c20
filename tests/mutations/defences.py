"""The defences against a false skip or a false image, and how each is switched off.

A defence is worth having only if some test fails without it. `run.py` looks.
"""

from __future__ import annotations

from dataclasses import dataclass

_PLUGIN = "pants-plugins/pants_docker_buildkit"


@dataclass(frozen=True)
class Mutation:
    """One edit that switches a defence off, and the tests that have to fail with it.

    `old` occurs once in the file, below the plugin. `tests` are paths below the plugin, or below
    the repository where they start with `tests/`.
    """

    defence: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> str:
        """The file from the repository's root."""
        return f"{_PLUGIN}/{self.file}"

    @property
    def test_paths(self) -> tuple[str, ...]:
        """The tests' files from the repository's root."""
        return tuple(
            each if each.startswith("tests/") else f"{_PLUGIN}/{each}" for each in self.tests
        )


MUTATIONS = (
    Mutation(
        "closed world: what no rule names is denied",
        "solver/source_policy.py",
        '{"action": "DENY", "selector": {"identifier": "*"}}',
        '{"action": "ALLOW", "selector": {"identifier": "*"}}',
        ("solver/source_policy_test.py",),
    ),
    Mutation(
        "closed world: no path of the context is read that is not in the key",
        "solver/source_policy.py",
        '{MAIN_CONTEXT}$", "match_type": "REGEX", "constraints": [asked]}',
        '{MAIN_CONTEXT}$", "match_type": "REGEX", "constraints": []}',
        ("solver/source_policy_test.py",),
    ),
    Mutation(
        "key: a base whose triggers are not known may copy anything",
        "dockerfile/stages.py",
        "if known is None:",
        "if known == 0:",
        ("dockerfile/reached_paths_test.py",),
    ),
    Mutation(
        "key: a link in the context may lead anywhere",
        "dockerfile/reached_paths.py",
        "if isinstance(entry, SymlinkEntry) and",
        "if not entry and",
        ("dockerfile/reached_paths_test.py",),
    ),
    Mutation(
        "pins: tags are converted to their digests",
        "solver/source_policy.py",
        '{"action": "CONVERT", "selector": selector, "updates": updates}',
        '{"action": "ALLOW", "selector": selector}',
        ("solver/source_policy_test.py",),
    ),
    Mutation(
        "pins: a layout is the one of its digest",
        "solver/source_policy.py",
        '"oci-layout://*@{context.value}"',
        '"oci-layout://*"',
        ("solver/source_policy_test.py",),
    ),
    Mutation(
        "pins: a layer of an archive is the one that its config names",
        "oci/image_archive.py",
        "if not compression and digest != diff_id:",
        "if compression and digest != diff_id:",
        ("oci/image_archive_test.py",),
    ),
    Mutation(
        "pins: a tar that holds no image is no base",
        "util_rules/image_inputs.py",
        "if origin.text in archives:",
        "if not archives:",
        ("util_rules/image_archives_test.py",),
    ),
    Mutation(
        "pins: what is read from outside is in the definition",
        "util_rules/definition.py",
        "sources=inputs.sources,",
        "sources=(),",
        ("util_rules/definition_test.py",),
    ),
    Mutation(
        "policy: a BuildKit that ignores policies is refused",
        "solver/versions.py",
        "if version is not None and version < OLDEST_BUILDKIT:",
        "if version is not None and version < (0, 0):",
        ("solver/versions_test.py",),
    ),
    Mutation(
        "policy: a buildx that sends no policy is refused",
        "solver/versions.py",
        "if buildx is not None and buildx < OLDEST_BUILDX:",
        "if buildx is not None and buildx < (0, 0):",
        ("solver/versions_test.py",),
    ),
    Mutation(
        "policy: one in Rego is in the definition",
        "util_rules/definition.py",
        "policies=inputs.policies.hashes,",
        "policies=(),",
        ("util_rules/policies_test.py",),
    ),
    Mutation(
        "policy: the user's own rules are asked before ours",
        "util_rules/image_inputs.py",
        "user_policy.check(field_set.address, pinned.all)",
        "pass",
        ("util_rules/pinned_sources_test.py",),
    ),
    Mutation(
        "triggers: what base images trigger is part of the Dockerfile",
        "util_rules/image_inputs.py",
        "if all(each.triggers == () for each in found):",
        "if True:",
        ("util_rules/base_configs_test.py",),
    ),
    Mutation(
        "triggers: those of images of this repository are in their record",
        "util_rules/base_configs.py",
        "found[key] = recorded",
        "found[key] = ()",
        ("tests/integration/triggers_test.py",),
    ),
    Mutation(
        "URLs: what they give now is in the definition",
        "util_rules/pinned_sources.py",
        "moving = [source for source in remote if pinned[source] is None and _is_readable(source)]",
        "moving: list[RemoteSource] = []",
        ("tests/integration/remote_content_test.py",),
    ),
    Mutation(
        "URLs: only a strong version says that nothing changed",
        "remote/web_content.py",
        """if tag.startswith('"') and tag.endswith('"') and len(tag) > 2:""",
        "if tag:",
        ("remote/web_content_test.py",),
    ),
    Mutation(
        "URLs: what changes while it is looked at is looked at again",
        "remote/web_content.py",
        "if _version(response) != version:",
        "if not version:",
        ("remote/web_content_test.py",),
    ),
    Mutation(
        "secret hash: it is in the definition",
        "util_rules/definition.py",
        "secret_hashes=secret_hashes.hashes,",
        "secret_hashes=(),",
        ("util_rules/build_secrets_test.py", "build_key_test.py"),
    ),
    Mutation(
        "secret hash: it reaches the steps",
        "solver/build.py",
        "            *_key_hosts(definition),\n",
        "",
        ("solver/build_test.py",),
    ),
    Mutation(
        "contexts: of many files, no others of their directories are read",
        "util_rules/build_context.py",
        "is_whole = found.get(directory) == files and directory not in partial",
        "is_whole = directory in found",
        ("util_rules/build_context_test.py",),
    ),
    Mutation(
        "contexts: of many files, no empty directory is beside them",
        "util_rules/build_context.py",
        "found.get(directory) == files and directory not in partial",
        "found.get(directory) == files",
        ("util_rules/build_context_test.py",),
    ),
    Mutation(
        "ignore file: what it excludes is not in the context",
        "util_rules/build_context.py",
        "patterns = parse_patterns(parse_ignore_file(contents[ignore_file]))",
        "patterns = parse_patterns(())",
        ("util_rules/build_context_test.py",),
    ),
    Mutation(
        "ignore file: the first candidate decides alone",
        "util_rules/build_context.py",
        "(each for each in ignore_files if each in ignore_contents)",
        "(each for each in reversed(ignore_files) if each in ignore_contents)",
        ("util_rules/build_context_test.py",),
    ),
    Mutation(
        "ignore file: BuildKit does not apply one in the context again",
        "util_rules/definition.py",
        'FileContent(f"{DOCKERFILE}{IGNORE_FILE_NAME}", NO_PATTERNS_IGNORE_FILE),',
        "",
        ("util_rules/build_context_test.py",),
    ),
    Mutation(
        "ignore file: a named context has its own",
        "util_rules/build_context.py",
        "root, (named_context_ignore_file(root),)",
        "root, ()",
        ("util_rules/build_context_test.py",),
    ),
    Mutation(
        "modes: an executable file has another digest",
        "digests/context_digest.py",
        'mode = b"t0:" if entry.is_executable else b"f0:"',
        'mode = b"f0:"',
        ("digests/context_digest_test.py",),
    ),
    Mutation(
        "modes: they are the same whatever the umask is",
        "solver/input_tree.py",
        "if umask == _PLAIN_UMASK:",
        "if umask:",
        ("solver/input_tree_test.py",),
    ),
    Mutation(
        "build platform: another builder does not build",
        "solver/build_platforms.py",
        "if found != [wanted for _, wanted in definition.build_platforms]:",
        "if not found:",
        ("solver/build_platforms_test.py",),
    ),
    Mutation(
        "build platform: an image without platforms is labelled like its base",
        "solver/build.py",
        "platforms=definition.platforms if definition.platform_of_base is None else (),",
        "platforms=definition.platforms,",
        ("solver/build_test.py",),
    ),
    Mutation(
        "build platform: what is labelled like its base is built for the default",
        "solver/build_platforms.py",
        "    if definition.platform_of_base is not None:",
        "    if definition.platform_of_base == '':",
        ("solver/build_platforms_test.py",),
    ),
    Mutation(
        "build platform: the Dockerfile gets it as arguments",
        "util_rules/image_inputs.py",
        "build_args = {**_build_platform_args(dockerfile), **build_args}",
        "pass",
        ("util_rules/build_platform_test.py",),
    ),
    Mutation(
        "context names: no two images have one",
        "util_rules/build_settings.py",
        'return f"context-{hashlib.sha256(image.encode()).hexdigest()[:16]}"',
        'return "context" if image else ""',
        ("util_rules/build_settings_test.py",),
    ),
    Mutation(
        "context times: another content of one size has another time",
        "solver/context_memory.py",
        "return self.since * _NANOSECONDS + int(content[:_HASH_DIGITS], 16) % _NANOSECONDS",
        "return self.since * _NANOSECONDS + len(content)",
        ("solver/context_directory_test.py",),
    ),
    Mutation(
        "context times: they never go back",
        "solver/context_memory.py",
        "since = now if known is None else max(now, known.since)",
        "since = now",
        ("solver/context_memory_test.py",),
    ),
    Mutation(
        "context times: what changes is younger than the last build",
        "solver/context_directory.py",
        "now = max(int(time.time()), _read_second(lock) + 1)",
        "now = int(time.time())",
        ("solver/context_directory_test.py",),
    ),
    Mutation(
        "contexts: what somebody changed is brought again",
        "solver/context_directory.py",
        "                    status.st_ctime_ns,\n",
        "                    known.status[3],\n",
        ("solver/context_directory_test.py",),
    ),
    Mutation(
        "contexts: nothing else lies there",
        "solver/context_directory.py",
        "self._remove(found, right, wanted)",
        "self._remove({p: s for p, s in found.items() if p in memory}, right, wanted)",
        ("solver/context_directory_test.py",),
    ),
    Mutation(
        "contexts: a half-written one is never built",
        "solver/build_process.py",
        "if not directory.bring_up_to_date(contents, deliveries):",
        "if directory.bring_up_to_date(contents, deliveries) is None:",
        ("solver/main_test.py",),
    ),
    Mutation(
        "contexts: nobody else may write there",
        "solver/context_directory.py",
        "        _make_private(path)\n        now =",
        "        path.mkdir(mode=0o700, exist_ok=True)\n        now =",
        ("solver/context_directory_test.py",),
    ),
    Mutation(
        "contexts: they stay locked until buildx has ended",
        "solver/build.py",
        "pass_fds=() if workplace.lock is None else (workplace.lock,),",
        "pass_fds=(),",
        ("solver/build_test.py",),
    ),
    Mutation(
        "key: named contexts are in the definition",
        "util_rules/definition.py",
        "named_contexts=inputs.named_contexts,",
        "named_contexts=(),",
        ("build_key_test.py",),
    ),
    Mutation(
        "key: the Dockerfile is in the definition",
        "util_rules/definition.py",
        "dockerfile=inputs.dockerfile.sha256,",
        'dockerfile="",',
        ("util_rules/definition_test.py",),
    ),
    Mutation(
        "key: the context is in the definition",
        "util_rules/definition.py",
        "context=inputs.context_digest,",
        'context="",',
        ("build_key_test.py",),
    ),
    Mutation(
        "key: build arguments are in the definition",
        "util_rules/definition.py",
        "build_args=tuple(sorted(build_args.items())),",
        "build_args=(),",
        ("build_key_test.py",),
    ),
    Mutation(
        "Git: a branch is not its content",
        "dockerfile/git_source.py",
        "return is_commit(self.reference)",
        "return bool(self.reference)",
        ("dockerfile/git_source_test.py",),
    ),
    Mutation(
        "Git: files that are read without being declared have owners",
        "dependency_inference.py",
        "*provided, *inputs}",
        "*provided}",
        ("util_rules/input_files_test.py",),
    ),
)

SLICE = (
    "closed world: what no rule names is denied",
    "pins: tags are converted to their digests",
    "policy: a buildx that sends no policy is refused",
    "modes: an executable file has another digest",
    "context times: they never go back",
)
"""Some whose tests are quick and need nothing but the plugin."""
