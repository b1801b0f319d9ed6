"""An identity provider on loopback: `python -m tests.access.provider`, which prints its address.

It is the package oidc-provider-mock, which signs with RS256 alone, and what that lacks: it holds clients to PKCE, names
itself in its answers when asked to (RFC 9207), changes its key, signs whatever a test wants, and gives tokens as an
attacker would.
"""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import oidc_provider_mock
import werkzeug.serving
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

ANY = ["RS256", "none"]
app: flask.Flask = oidc_provider_mock.app(require_client_registration=True, require_nonce=True)
challenges: dict[str, str | None] = {}
behaviour: dict[str, Any] = {}


def _key() -> RSAKey:
    found = RSAKey.import_key(flask.g.oidc_provider_mock_storage.jwk.as_dict(is_private=True))
    found.ensure_kid()
    return found


def _compact(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    return jws.serialize_compact(header, json.dumps(claims), key, registry=jws.JWSRegistry(algorithms=ANY))


def _by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Sign what libraries refuse to sign."""
    said = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
    return f"{said}.{_base64(sign(said.encode()))}"


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _signed(claims: dict[str, Any], how: str, header: dict[str, Any] | None = None) -> str:
    """Return a token with these claims, signed properly or in one of the ways of attackers."""
    own = _key()
    head = {"typ": "JWT", "kid": own.kid, **(header or {})}
    if how == "none":
        return _compact({**head, "alg": "none"}, claims, None)
    if how == "public key as secret":
        secret = own.as_pem(private=False)
        return _by_hand({**head, "alg": "HS256"}, claims, lambda said: hmac.digest(secret, said, "sha256"))
    if how == "unknown key":
        return _compact({**head, "alg": "RS256", "kid": "another"}, claims, RSAKey.generate_key())
    if how == "another key":
        return _compact({**head, "alg": "RS256"}, claims, RSAKey.generate_key())
    if "crit" in head:
        private: Any = own.private_key
        return _by_hand({**head, "alg": "RS256"}, claims, lambda said: private.sign(said, PKCS1v15(), SHA256()))
    return _compact({**head, "alg": "RS256"}, claims, own)


@app.before_request
def require_proof() -> Any:
    """Refuse a code without the verifier of its challenge (RFC 7636)."""
    form = flask.request.form
    if flask.request.path == "/oauth2/token" and form.get("grant_type") == "authorization_code":
        shown = _base64(sha256(form.get("code_verifier", "").encode()).digest())
        if challenges.pop(form.get("code", ""), None) != shown:
            return {"error": "invalid_grant"}, 400
    return None


@app.after_request
def change(response: flask.Response) -> flask.Response:
    """Remember the challenge of a code that goes out, and change what a test wants changed."""
    path = flask.request.path
    if path == "/oauth2/authorize" and "code=" in response.location if response.location else False:
        assert response.location is not None
        code = parse_qs(urlsplit(response.location).query)["code"][0]
        is_s256 = flask.request.args.get("code_challenge_method") == "S256"
        challenges[code] = flask.request.args.get("code_challenge") if is_s256 else None
        if "iss" in behaviour:
            response.location += f"&iss={behaviour['iss']}"
    if path == "/oauth2/token" and response.status_code == 200 and "how" in behaviour:
        given = json.loads(response.get_data())
        claims = jwt.decode(given.pop("id_token"), _key()).claims
        if behaviour["how"] != "missing":
            given["id_token"] = _signed(claims, behaviour["how"])
        response.set_data(json.dumps(given))
    if path.endswith("openid-configuration"):
        response.set_data(json.dumps({**json.loads(response.get_data()), **behaviour.get("metadata", {})}))
    return response


@app.put("/test/behaviour")
def behave() -> Any:
    """Behave so from now on; an empty object is as one should."""
    behaviour.clear()
    behaviour.update(flask.request.json or {})
    return {}


@app.post("/test/key")
def change_key() -> Any:
    """Sign with another key, and forget the one before."""
    storage = flask.g.oidc_provider_mock_storage
    storage.jwk = type(storage.jwk).generate_key(is_private=True)
    return {}


@app.post("/test/tokens")
def sign() -> Any:
    """Sign an access token: `claims`, with what every token has unless they say otherwise."""
    wanted = flask.request.json or {}
    now = int(time.time())
    usual = {"iss": flask.request.host_url.rstrip("/"), "iat": now, "exp": now + 300, "jti": str(time.time_ns())}
    claims = {name: value for name, value in {**usual, **wanted["claims"]}.items() if value is not None}
    return {"token": _signed(claims, wanted.get("how", ""), wanted.get("header", {"typ": "at+jwt"}))}


if __name__ == "__main__":
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
