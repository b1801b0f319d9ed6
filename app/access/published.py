"""What an identity provider publishes: its metadata and its keys, fetched when needed, seldom, and in bounded size."""

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx2
import structlog
from anyio import Lock
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from app.errors import Unavailable

FRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS = 3600, 10, 24 * 3600
"""A document is fetched anew after an hour, never twice within ten seconds, and used for a day where that fails."""
TIMEOUT_SECONDS = 5.0
MOST_BYTES = 256 * 1024
MOST_KEYS = 50
LEAST_RSA_BITS = 2048
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Document = TypeVar("Document")
log = structlog.get_logger()


def is_protected(address: str) -> bool:
    """Whether `address` is one of HTTPS, or of this very machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


class Kept(Generic[Document]):
    """A document that is fetched when it is needed, by one task at a time."""

    def __init__(self, fetch: Callable[[], Awaitable[Document]], clock: Callable[[], float] = monotonic) -> None:
        self._fetch, self._clock, self._lock = fetch, clock, Lock()
        self._document: Document | None = None
        self._fetched_at = self._tried_at = float("-inf")

    async def get(self, suits: Callable[[Document], bool] = lambda _: True) -> Document:
        """Return the document: the one that is kept while it is fresh and `suits`, or else what is fetched anew.

        What does not suit is fetched again only now and then, so that nobody makes us ask the provider at every
        request. Raises Unavailable.
        """
        if (found := self._usable(suits)) is not None:
            return found
        async with self._lock:
            if (found := self._usable(suits)) is not None:
                return found
            if self._clock() - self._tried_at >= RETRY_SECONDS:
                self._tried_at = self._clock()
                try:
                    self._document = await self._fetch()
                    self._fetched_at = self._clock()
                except Unavailable:
                    log.warning("identity_provider_unavailable")
            if self._document is None or self._clock() - self._fetched_at > STALE_SECONDS:
                raise Unavailable("The identity provider does not answer. Try again in a minute.")
            return self._document

    def _usable(self, suits: Callable[[Document], bool]) -> Document | None:
        is_fresh = self._clock() - self._fetched_at < FRESH_SECONDS
        return self._document if self._document is not None and is_fresh and suits(self._document) else None


@dataclass(frozen=True)
class Metadata:
    """What of the provider's metadata counts (OpenID Connect Discovery 1.0)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    says_issuer: bool
    """Whether every answer to a browser names the issuer (RFC 9207)."""
    authentication_methods: frozenset[str]


class Published:
    """The metadata and keys of one issuer."""

    def __init__(self, issuer: str, clock: Callable[[], float] = monotonic) -> None:
        self.issuer = issuer
        self.metadata = Kept(self._metadata, clock)
        self.keys = Kept(self._keys, clock)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Whom to trust over TLS: made once, since it takes long."""
        return ssl.create_default_context()

    async def _document(self, address: str) -> Mapping[str, Any]:
        content = b""
        try:
            async with (
                httpx2.AsyncClient(verify=self.tls, timeout=TIMEOUT_SECONDS) as client,
                client.stream("GET", address, headers={"Accept": "application/json"}) as answer,
            ):
                if answer.status_code == httpx2.codes.OK:
                    async for part in answer.aiter_bytes():
                        content += part
                        if len(content) > MOST_BYTES:
                            raise _unusable("too large")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _unusable(type(error).__name__) from None
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            raise _unusable("not JSON") from None
        if not isinstance(found, dict):
            raise _unusable("not an object")
        return found

    async def _metadata(self) -> Metadata:
        found = await self._document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise _unusable("another issuer")
        addresses = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        ending = found.get("end_session_endpoint")
        if not all(isinstance(each, str) and is_protected(each) for each in addresses):
            raise _unusable("no addresses over TLS")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        authorization, token, keys = map(str, addresses)
        return Metadata(
            authorization_endpoint=authorization,
            token_endpoint=token,
            jwks_uri=keys,
            end_session_endpoint=ending if isinstance(ending, str) and is_protected(ending) else None,
            says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
            authentication_methods=frozenset(each for each in methods if isinstance(each, str)),
        )

    async def _keys(self) -> tuple[Key, ...]:
        """Return the public keys that sign; secrets, weak ones and kinds that nobody knows are left out."""
        found = (await self._document((await self.metadata.get()).jwks_uri)).get("keys")
        if not isinstance(found, list):
            raise _unusable("no keys")
        keys = [key for each in found[:MOST_KEYS] if (key := _signing_key(each)) is not None]
        if not keys:
            raise _unusable("no keys that sign")
        return tuple(keys)


def _signing_key(each: Any) -> Key | None:
    if not isinstance(each, dict) or each.get("use", "sig") != "sig":
        return None
    try:
        key = import_key(each)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(key, RSAKey | ECKey | OKPKey) or key.is_private:
        return None
    if isinstance(key, RSAKey) and key.raw_value.key_size < LEAST_RSA_BITS:
        return None
    return key


def _unusable(why: str) -> Unavailable:
    log.warning("identity_provider_unusable", why=why)
    return Unavailable("The identity provider does not answer as it should. Try again in a minute.")
