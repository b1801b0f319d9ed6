"""The page that shows the API: made of installed packages alone, and allowed to run nothing but its own script."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

STATIC = "/docs/static"
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(service: FastAPI) -> None:
    """Serve `/docs` and what it is made of."""
    service.mount(STATIC, StaticFiles(packages=[("fastapi_offline", "static")]), name="documentation")
    page = get_swagger_ui_html(
        openapi_url=service.openapi_url or "",
        title=f"{service.title}: the API",
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
        swagger_ui_parameters={"defaultModelsExpandDepth": 0},
    )
    page.headers["Content-Security-Policy"] = policy_of(bytes(page.body).decode())

    @service.get("/docs", include_in_schema=False)
    def show() -> HTMLResponse:
        """Show the API."""
        return page


def policy_of(page: str) -> str:
    """Return the content security policy under which `page` shows and tries the API: its scripts by their hashes."""
    hashes = (f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in SCRIPT.findall(page))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(hashes)}",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
