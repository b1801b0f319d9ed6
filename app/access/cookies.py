"""The cookies of browsers, and whether a request with one was sent by Hearth's own pages."""

import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request, Response

from app.access.sessions import csrf_token
from app.errors import ForgedRequest
from app.keys import keyring

SESSION, DEVICE, BEGUN = "hearth_session", "hearth_device", "hearth_sign_in"
CSRF_HEADER = "X-CSRF-Token"
DEVICE_BYTES, PROOF_DIGITS = 32, 32
DEVICE_LIFETIME = timedelta(days=90)
LONGEST, LONGEST_BEGUN = 100, 2000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def _name(request: Request, name: str) -> str:
    """Return the cookie's name: over TLS one that no other host and no plain connection can set (RFC 6265bis)."""
    return f"__Host-{name}" if request.url.scheme == "https" else name


def read(request: Request, name: str) -> str | None:
    """Return what the cookie holds, if it can be one of ours."""
    value = request.cookies.get(_name(request, name))
    return value if value and len(value) <= LONGEST else None


def read_begun(request: Request) -> str | None:
    """Return what was kept when the browser was sent to the identity provider, if it can be ours."""
    value = request.cookies.get(_name(request, BEGUN))
    return value if value and len(value) <= LONGEST_BEGUN else None


def set_session(request: Request, response: Response, secret: str) -> None:
    """Give the browser the secret of its session, until it is closed or the session ends."""
    _set(request, response, SESSION, secret, None)


def new_device() -> str:
    """Return a secret for a browser to be known by: what it holds was made here, as its second part shows."""
    return _with_proof(secrets.token_urlsafe(DEVICE_BYTES))


def read_device(request: Request) -> str | None:
    """Return what the browser is known by, if that was made here: nobody makes one up, and has us look for it."""
    value = read(request, DEVICE)
    if value is None:
        return None
    is_ours = secrets.compare_digest(value.encode(), _with_proof(value.partition(".")[0]).encode())
    return value if is_ours else None


def _with_proof(device: str) -> str:
    return f"{device}.{keyring().index(device, DEVICE)[:PROOF_DIGITS]}"


def set_device(request: Request, response: Response, device: str) -> None:
    """Let the browser be known when its user signs in again."""
    _set(request, response, DEVICE, device, DEVICE_LIFETIME)


def end_session(request: Request, response: Response) -> None:
    """Have the browser forget its session."""
    _set(request, response, SESSION, "", timedelta(0))


def set_begun(request: Request, response: Response, kept: str, seconds: int) -> None:
    """Keep what has to be there when the identity provider sends the browser back; with 0 seconds, forget it.

    Lax, as the browser comes from another site then.
    """
    _set(request, response, BEGUN, kept, timedelta(seconds=seconds), is_strict=False)


def _set(
    request: Request,
    response: Response,
    name: str,
    value: str,
    lifetime: timedelta | None,
    *,
    is_strict: bool = True,
) -> None:
    response.set_cookie(
        _name(request, name),
        value,
        max_age=None if lifetime is None else int(lifetime.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict" if is_strict else "lax",
    )


def require_same_site(request: Request) -> None:
    """Raise ForgedRequest for a request that a page of another site made the browser send."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForgedRequest("The request was sent by a page of another site.")
        return
    origin = request.headers.get("Origin")
    if origin is not None and _host_of(origin) != request.headers.get("Host"):
        raise ForgedRequest("The request was sent by a page of another site.")


def _host_of(origin: str) -> str:
    """Return the host of an origin; that of none, such as `null` or `http://[`, is empty."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def require_own_request(request: Request, secret: str) -> None:
    """Raise ForgedRequest unless what changes something comes from a page of ours, with the session's CSRF token."""
    if request.method in SAFE_METHODS:
        return
    require_same_site(request)
    sent = request.headers.get(CSRF_HEADER, "")
    if not secrets.compare_digest(sent.encode(), csrf_token(secret).encode()):
        raise ForgedRequest(f"Send the session's CSRF token as {CSRF_HEADER}; GET /api/v1/session gives it.")
