"""The page that shows the API: made of installed packages alone, and allowed to run nothing but its own script.

And what the OpenAPI document says of every operation alike: examples of the references that stand in addresses.
"""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

STATIC = "/docs/static"
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)

REFERENCES = {
    "appeals": "APL-7K3M9QTX",
    "applications": "AP-7K3M9QTX",
    "draws": "RUN-7K3M9QTX",
    "break-glass-grants": "BG-7K3M9QTX",
    "documents": "DO-7K3M9QTX",
    "duplicates": "DC-7K3M9QTX",
    "households": "HH-7K3M9QTX",
    "houses": "HO-7K3M9QTX",
    "land-release-areas": "LR-7K3M9QTX",
    "merges": "MG-7K3M9QTX",
    "offers": "OF-7K3M9QTX",
    "people": "PE-7K3M9QTX",
    "placements": "PL-7K3M9QTX",
    "policies": "PO-7K3M9QTX",
    "policy-previews": "PV-7K3M9QTX",
    "runs": "RUN-7K3M9QTX",
    "settlements": "ST-7K3M9QTX",
    "swap-cycles": "SC-7K3M9QTX",
    "swap-wishes": "SW-7K3M9QTX",
    "tenancies": "TE-7K3M9QTX",
    "users": "US-7K3M9QTX",
    "sessions": "SE-7K3M9QTX",
    "api-tokens": "TK-7K3M9QTX",
}
"""Examples of what stands in an address, by the part before it."""


def give_examples(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document an example of every reference in an address."""
    for path, item in document["paths"].items():
        before, found, _ = path.partition("/{reference}")
        example = REFERENCES.get(before.rpartition("/")[2])
        for operation in item.values() if found and example else ():
            for parameter in operation["parameters"]:
                if parameter["name"] == "reference":
                    parameter["example"] = example


def install(service: FastAPI) -> None:
    """Serve `/docs` and what it is made of."""
    service.mount(STATIC, StaticFiles(packages=[("fastapi_offline", "static")]), name="documentation")
    made = get_swagger_ui_html(
        openapi_url=service.openapi_url or "",
        title=f"{service.title}: the API",
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
        swagger_ui_parameters={"defaultModelsExpandDepth": 0},
    )
    text = bytes(made.body).decode().replace("<html>", '<html lang="en">')  # FastAPI names no language
    described = f'<a href="{service.openapi_url}">the OpenAPI document</a>'
    text = text.replace("<body>", f"<body>\n    <noscript>Without scripts, read {described}.</noscript>")
    page = HTMLResponse(text, headers={"Content-Security-Policy": policy_of(text)})

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
