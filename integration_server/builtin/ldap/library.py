"""The one door to ldap3: importing it warns of two names that pyasn1 is going to drop, and only these are silenced."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"(tagMap|typeMap) is deprecated", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPExceptionError
    from ldap3.operation.search import compile_filter, parse_filter
    from ldap3.utils.asn1 import encode  # type: ignore[attr-defined]
    from pyasn1.error import PyAsn1Error

__all__ = ["LDAPExceptionError", "ldap3", "parsed_filter"]


def parsed_filter(text: str) -> bytes:
    """The BER of a filter in the notation of RFC 4515. Raises ValueError, saying what is wrong, for anything else."""
    try:
        tree = parse_filter(text, None, auto_escape=True, auto_encode=True, validator=None, check_names=False)  # type: ignore[no-untyped-call]
        return bytes(encode(compile_filter(tree.elements[0])))  # type: ignore[no-untyped-call]
    except LDAPExceptionError as exc:
        raise ValueError(str(exc)) from exc
    except PyAsn1Error as exc:
        raise ValueError("a value is missing or cannot be encoded") from exc
