"""Owns which names this server answers to, which web pages may call it, and from where a request comes.

`doors.check(host, origin)`, `doors.address(peer, forwarded)`. It must not know who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from mcp_server.web.refusals import Refusal

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # not bound here: these name no host that a client may ask for
Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Doors:
    """A page elsewhere whose name leads to this machine has a foreign `Host`; one that calls us has a foreign `Origin`."""

    hosts: frozenset[str] = LOOPBACK
    """Names and addresses, in small letters and without ports, wherever the server is bound to."""
    origins: frozenset[str] = frozenset()
    """Of pages that may call, beside those on this machine: `https://play.example.org`."""
    proxies: Networks = ()
    """Whose `X-Forwarded-For` is believed."""

    @staticmethod
    def of(host: str = "127.0.0.1", public_url: str = "", proxies: Iterable[str] = ()) -> Doors:
        """For a server that is bound to `host` and is known as `public_url`. Raises ValueError for what is no network."""
        hosts, origins = set(LOOPBACK), set[str]()
        if host.lower() not in EVERYWHERE:
            hosts.add(host.lower())
        if public_url:
            parts = urlsplit(public_url)
            hosts.add(parts.hostname or "")
            origins.add(f"{parts.scheme}://{parts.netloc}".lower())
        return Doors(frozenset(hosts), frozenset(origins), tuple(ip_network(each) for each in proxies))

    def check(self, host: str, origin: str | None) -> None:
        """Raises `Refusal`."""
        if _name(host) not in self.hosts:
            raise Refusal(
                421, "host", "This server is not known by that name", "Set RULEBOUND_URL to its public address."
            )
        if origin is not None and origin.lower() not in self.origins and _page(origin) not in LOOPBACK:
            raise Refusal(403, "origin", "Pages of that origin may not call this server")

    def address(self, peer: str, forwarded: str) -> str:
        """From where a request comes: the last address of `X-Forwarded-For` that is no proxy of ours, or the peer."""
        found = _plain(peer)
        for each in reversed(forwarded.split(",") if forwarded else []):
            if not self._proxy(found):
                break
            named = _plain(each.strip())
            if not named:
                break
            found = named
        return found

    def _proxy(self, address: str) -> bool:
        return bool(self.proxies and address) and any(ip_address(address) in network for network in self.proxies)


def same_page(host: str, origin: str | None) -> bool:
    """Whether a request comes from no web page, or from one of this server."""
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def household(address: str) -> str:
    """What limits count an address by: of IPv6 the network that one customer has."""
    return address if ":" not in address else str(ip_network(f"{address}/64", strict=False))


@lru_cache(1024)
def _name(host: str) -> str:
    """The name or address in a `Host` header; empty for what is none."""
    return _page(f"//{host}")


@lru_cache(1024)
def _page(url: str) -> str:
    try:
        parts = urlsplit(url)
        more = parts.path or parts.query or parts.fragment
        return "" if parts.username is not None or more else (parts.hostname or "")
    except ValueError:
        return ""


@lru_cache(4096)
def _plain(address: str) -> str:
    """An address in its usual form, of IPv4 without the wrapping in IPv6; empty for what is none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    return str((found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found)
