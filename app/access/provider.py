"""The identity provider (OpenID Connect): sending browsers there, exchanging their codes, and tokens that it signed."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
from anyio import CapacityLimiter
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, Key, OKPKey

from app.access.identities import LONGEST_SUBJECT
from app.access.mapping import Claims, Mapped, mapped
from app.access.published import TIMEOUT_SECONDS, Metadata, Published, is_protected
from app.errors import FieldError, Invalid, Unavailable
from app.settings import Settings

CALLBACK = "/api/v1/oidc/callback"
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
LEEWAY_SECONDS = 30
LONGEST_TOKEN = 8 * 1024
LONGEST_LIFE_SECONDS = 24 * 3600
MOST_EXCHANGES = 8
ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})
OTHER_TYPES = frozenset({"", "jwt"})


class NotAcceptable(Exception):  # noqa: N818 - becomes a refusal that tells nothing of it
    """What the provider gave, or was said to have given, is not to be trusted; the text says why, for the record."""


@dataclass(frozen=True)
class Begun:
    """What has to be the same when the browser comes back."""

    state: str
    nonce: str
    verifier: str


def begin() -> Begun:
    """Return fresh secrets for one sign-in: each of 256 random bits or more."""
    return Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


class Provider:
    """The provider that the settings name, and what the service is to it."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        _require_sense(settings)
        self.issuer, self.client_id, self.audience = (
            settings.oidc_issuer,
            settings.oidc_client_id,
            settings.oidc_audience,
        )
        self.home = settings.public_url.rstrip("/")
        self.services = frozenset(filter(None, (each.strip() for each in settings.oidc_services.split(","))))
        self.mapped: Mapped = mapped(settings.oidc_roles_claim, settings.oidc_roles, settings.oidc_second_factor)
        self.published = Published(settings.oidc_issuer, clock)
        self._scopes = settings.oidc_scopes
        self._secret_file = settings.oidc_client_secret_file
        self._exchanges = CapacityLimiter(MOST_EXCHANGES)
        self._secret()  # what cannot be read is found at the start, and not at the first sign-in

    def _secret(self) -> str | None:
        return Path(self._secret_file).read_text(encoding="utf-8").strip() if self._secret_file else None

    def _client(self, metadata: Metadata) -> AsyncOAuth2Client:
        secret = self._secret()  # read each time: it may be replaced while the service runs
        ways = ("client_secret_basic", "client_secret_post") if secret else ("none",)
        way = next((each for each in ways if each in metadata.authentication_methods), ways[0])
        return AsyncOAuth2Client(
            client_id=self.client_id,
            client_secret=secret,
            token_endpoint_auth_method=way,
            scope=self._scopes,
            redirect_uri=self.home + CALLBACK,
            code_challenge_method="S256",
            verify=self.published.tls,
            timeout=TIMEOUT_SECONDS,
        )

    async def address(self, begun: Begun) -> str:
        """Return where to send the browser. Raises Unavailable."""
        metadata = await self.published.metadata.get()
        async with self._client(metadata) as client:
            found, _ = client.create_authorization_url(
                metadata.authorization_endpoint, state=begun.state, code_verifier=begun.verifier, nonce=begun.nonce
            )
        return str(found)

    async def ending(self) -> str | None:
        """Return where a browser ends its session at the provider, if there is such a place. Raises Unavailable."""
        found = (await self.published.metadata.get()).end_session_endpoint
        if found is None:
            return None
        given = {"client_id": self.client_id, "post_logout_redirect_uri": f"{self.home}/"}
        return str(httpx2.URL(found).copy_merge_params(given))

    async def require_issuer(self, said: str | None) -> None:
        """Raise NotAcceptable where the browser's answer comes from another provider (RFC 9207), or may do so."""
        metadata = await self.published.metadata.get()
        if said != self.issuer if said is not None else metadata.says_issuer:
            raise NotAcceptable("the answer names another issuer, or none")

    async def signed_in(self, code: str, begun: Begun) -> Claims:
        """Exchange the code that the browser brought, and return the claims of the identity token.

        Raises NotAcceptable, and Unavailable.
        """
        metadata = await self.published.metadata.get()
        async with self._exchanges, self._client(metadata) as client:
            try:
                given = await client.fetch_token(
                    metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=begun.verifier
                )
            except (httpx2.HTTPStatusError, httpx2.TransportError):
                raise Unavailable("The identity provider does not answer. Begin again in a minute.") from None
            except (OAuthError, ValueError):
                raise NotAcceptable("the provider refused the code") from None
        token, access_token = given.get("id_token"), given.get("access_token")
        if not isinstance(token, str):
            raise NotAcceptable("the provider gave no identity token")
        decoded = await self._decoded(token)
        expected = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
        }
        known = {"nonce": begun.nonce, "client_id": self.client_id, "access_token": access_token}
        try:
            CodeIDToken(decoded.claims, decoded.header, expected, known).validate(leeway=LEEWAY_SECONDS)
        except JoseError as error:
            raise NotAcceptable(f"identity token: {error.error}, {_claim_of(error)}") from None
        _require_subject(decoded.claims)
        return decoded.claims

    async def presented(self, token: str) -> Claims:
        """Return the claims of an access token that was made for this service (RFC 9068, as far as it is offered).

        Raises NotAcceptable, and Unavailable.
        """
        decoded = await self._decoded(token)
        kind = str(decoded.header.get("typ", "")).lower()
        expected = _claims_of(self.issuer, self.audience) | {
            name: {"essential": True} for name in ("exp", "iat", "sub")
        }
        try:
            jwt.JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **expected).validate(decoded.claims)
        except JoseError as error:
            raise NotAcceptable(f"access token: {error.error}, {_claim_of(error)}") from None
        audiences = decoded.claims["aud"] if isinstance(decoded.claims["aud"], list) else [decoded.claims["aud"]]
        if decoded.claims["exp"] - decoded.claims["iat"] > LONGEST_LIFE_SECONDS:
            raise NotAcceptable("access token: it is to live too long")
        if kind not in ACCESS_TOKEN_TYPES and (kind not in OTHER_TYPES or self.client_id in audiences):
            raise NotAcceptable("access token: it is a token of another kind")
        _require_subject(decoded.claims)
        return decoded.claims

    async def _decoded(self, token: str) -> jwt.Token:
        """Check the signature of `token`, by a key of the provider and with an algorithm of that key's own.

        Which algorithms there are is ours to say: neither the token nor the provider makes it `none` or one with a
        shared secret.
        """
        if len(token) > LONGEST_TOKEN:
            raise NotAcceptable("the token is too long")
        try:
            identifier = jws.extract_compact(token.encode()).headers().get("kid")
            keys = await self.published.keys.get(lambda keys: bool(_fitting(keys, identifier)))
            try:
                return _checked(token, keys, identifier)
            except BadSignatureError:
                if identifier is not None:
                    raise
            # The key that a nameless token was signed with may have been replaced.
            return _checked(token, await self.published.keys.get(lambda newer: newer is not keys), identifier)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise NotAcceptable(f"the token's signature does not hold: {type(error).__name__}") from None


def _checked(token: str, keys: tuple[Key, ...], identifier: object) -> jwt.Token:
    fitting = _fitting(keys, identifier)
    if len(fitting) != 1:  # a token that names no key of several is nobody's
        raise NotAcceptable("the token names no key of the provider")
    registry = jws.JWSRegistry(algorithms=_algorithms(fitting[0]), strict_check_header=False)
    return jwt.decode(token, fitting[0], registry=registry)


def _fitting(keys: tuple[Key, ...], identifier: object) -> list[Key]:
    return [key for key in keys if key.kid == identifier] if identifier is not None else list(keys)


def _algorithms(key: Key) -> list[str]:
    """Return the algorithms that a token signed with `key` may name."""
    if isinstance(key, ECKey):
        found = [CURVES[key.curve_name]] if key.curve_name in CURVES else []
    elif isinstance(key, OKPKey):
        found = ["EdDSA", "Ed25519"]
    else:
        found = list(RSA)
    return [each for each in found if key.get("alg", each) == each]


def _claims_of(issuer: str, audience: str) -> dict[str, Any]:
    return {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}


def _claim_of(error: JoseError) -> str:
    return str(getattr(error, "claim", "") or "")


def _require_subject(claims: Mapping[str, Any]) -> None:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise NotAcceptable("the token's subject is none")


def _require_sense(settings: Settings) -> None:
    """Raise Invalid for settings that name a provider by halves, or let it be spoken to in clear."""
    wrong = []
    if not is_protected(settings.oidc_issuer):
        wrong.append(FieldError("HEARTH_OIDC_ISSUER", "Give an address with https."))
    if not is_protected(settings.public_url):
        wrong.append(FieldError("HEARTH_PUBLIC_URL", "Give where browsers reach the service, with https."))
    if not settings.oidc_client_id:
        wrong.append(FieldError("HEARTH_OIDC_CLIENT_ID", "Give what the provider calls the service."))
    if "openid" not in settings.oidc_scopes.split():
        wrong.append(FieldError("HEARTH_OIDC_SCOPES", "The scope openid has to be among them."))
    if settings.oidc_audience and settings.oidc_audience == settings.oidc_client_id:
        wrong.append(FieldError("HEARTH_OIDC_AUDIENCE", "Choose another than the client id, which is users'."))
    if bool(settings.oidc_audience) != bool(settings.oidc_services):
        wrong.append(FieldError("HEARTH_OIDC_SERVICES", "Audience and services go together."))
    if wrong:
        raise Invalid("A setting is wrong.", wrong)


def configured(settings: Settings) -> Provider | None:
    """Return the provider that the settings name; None where they name none. Raises Invalid."""
    return Provider(settings) if settings.oidc_issuer else None
