"""What do the options say of signatures?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pants.base.build_environment import get_buildroot

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.options.table import InvalidTableError, OptionTable
from pants_docker_buildkit.registry.secret_source import InvalidSecretSourceError, SecretSource
from pants_docker_buildkit.signatures.cosign import SigningKey, is_in_key_store
from pants_docker_buildkit.signatures.image_signatures import SigningSettings
from pants_docker_buildkit.signatures.rules import (
    IGNORES_LOG,
    SignaturePolicies,
    SignaturePolicy,
    SignatureRule,
)
from pants_docker_buildkit.subsystem import SignaturesSubsystem
from pants_docker_buildkit.util_rules.option_values import named_entries, option_path

_IGNORES_CERTIFICATE_LOG = "--insecure-ignore-sct=true"
_IDENTITY = {
    "identity": "--certificate-identity",
    "identity_regexp": "--certificate-identity-regexp",
}
_ISSUER = {
    "issuer": "--certificate-oidc-issuer",
    "issuer_regexp": "--certificate-oidc-issuer-regexp",
}
_KNOWN = ("key", *_IDENTITY, *_ISSUER, "trusted_root", "transparency_log", "unsigned")


def signing_settings(
    subsystem: SignaturesSubsystem, environment: Mapping[str, str]
) -> SigningSettings:
    """How images are signed and verified. Raises `InvalidOptionError`."""
    home = environment.get("HOME", "")
    signer = tuple(subsystem.signer)
    key = _signing_key(subsystem)
    if key is not None and signer:
        raise _invalid("signer", "be left out where `key` is set", "both are set")
    cosign = subsystem.cosign
    return SigningSettings(
        option_path(cosign, home) if "/" in cosign else cosign,
        key,
        signer,
        subsystem.sign_platforms,
        SignaturePolicies(tuple(_policies(subsystem.verify, home))),
    )


def signing_sources(subsystem: SignaturesSubsystem) -> tuple[SecretSource, ...]:
    """The secrets that signing reads. Raises `InvalidOptionError`."""
    key = _signing_key(subsystem)
    return () if key is None else key.sources


def _signing_key(subsystem: SignaturesSubsystem) -> SigningKey | None:
    password = _source("password", subsystem.password)
    key = subsystem.key
    if key is None:
        return None
    if is_in_key_store(key):
        return SigningKey(None, key, password)
    return SigningKey(_source("key", key, ", or name a key in a key store"), "", password)


def _source(option: str, text: str | None, more: str = "") -> SecretSource | None:
    if text is None:
        return None
    try:
        return SecretSource.parse(text).below(Path(get_buildroot()))
    except InvalidSecretSourceError as e:
        # Whoever mixes them up has written the secret there.
        finding = "is something else, which is not shown here because it may be the secret"
        raise _invalid(option, f"{e.requirement}{more}", finding) from e


def _invalid(option: str, requirement: str, finding: str) -> InvalidOptionError:
    return InvalidOptionError(option, requirement, finding, SignaturesSubsystem.options_scope)


def _policies(verify: Mapping[str, Any], home: str) -> list[SignaturePolicy]:
    found = []
    for pattern, content in named_entries("verify", verify, SignaturesSubsystem.options_scope):
        try:
            tables = (
                OptionTable("", {pattern: content}).tables(pattern)
                if isinstance(content, (list, tuple))
                else (OptionTable(pattern, content),)
            )
            if not tables:
                raise InvalidTableError(pattern, "say what is accepted", "is empty")
            rules = [_rule(each, home) for each in tables]
        except InvalidTableError as e:
            name = f"verify.{e.setting}"
            raise _invalid(name, e.requirement, e.finding) from e
        # That no signature is needed counts more than any other entry.
        needed = [each for each in rules if each is not None]
        found.append(SignaturePolicy(pattern, tuple(needed) if len(needed) == len(rules) else ()))
    return found


def _rule(table: OptionTable, home: str) -> SignatureRule | None:
    """What a table accepts; `None` where that is anything."""
    table.only(_KNOWN)
    if table.boolean("unsigned"):
        table.only(("unsigned",), " where that is true")
        return None
    trusted = table.text("trusted_root", "a path")
    root = None if trusted is None else Path(option_path(trusted, home))
    arguments: list[str] = []
    key, must_be_logged = table.text("key", "a path"), table.boolean("transparency_log")
    if key is not None:
        table.only(("key", "trusted_root", "transparency_log"), " where it has a key")
        if not must_be_logged:
            arguments.append(IGNORES_LOG)
        if "://" in key or is_in_key_store(key):
            return SignatureRule((*arguments, "--key", key), root_file=root)
        key_file = Path(option_path(key, home))
        return SignatureRule(tuple(arguments), key_file, root_file=root)
    arguments += [*_one_of(table, _IDENTITY), *_one_of(table, _ISSUER)]
    if must_be_logged is False:
        arguments += [IGNORES_LOG, _IGNORES_CERTIFICATE_LOG]
    return SignatureRule(tuple(arguments), root_file=root)


def _one_of(table: OptionTable, flags: Mapping[str, str]) -> tuple[str, str]:
    given = [(flag, table.text(key)) for key, flag in flags.items() if table.has(key)]
    if len(given) != 1:
        names = " or ".join(f"`{key}`" for key in flags)
        finding = "has both" if given else "has neither"
        raise InvalidTableError(table.path, f"have a `key`, or {names}", finding)
    ((flag, value),) = given
    assert value is not None
    return flag, value
