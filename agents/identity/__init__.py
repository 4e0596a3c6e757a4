"""Owns who somebody is and what they were given: credentials become principals; keys, roles, teams, namespaces and shares are
managed. `Identities` recognises, `Granting` manages. It must not know transports.
"""

from agents.identity.granting import AccessError, Granting, actor
from agents.identity.issuer import Issuer, IssuerKeys
from agents.identity.recognising import TTL, Identities, Unrecognised
from agents.identity.spaces import GrantedSpaces

__all__ = [
    "TTL",
    "AccessError",
    "GrantedSpaces",
    "Granting",
    "Identities",
    "Issuer",
    "IssuerKeys",
    "Unrecognised",
    "actor",
]
