"""What goes with every answer: what a browser may load and do with it (Content-Security-Policy), and that nobody else frames, sniffs or keeps it."""

from typing import Final

from flask import Flask, request
from werkzeug.wrappers import Response

SOURCES: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",  # Bootstrap's own signs (arrows, ticks) are data: pictures in its style sheet
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
POLICY: Final = "; ".join(f"{kind} {sources}" for kind, sources in SOURCES.items())
ALWAYS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
YEAR: Final = 365 * 86400


def install(app: Flask, *, tls: bool) -> None:
    """With every answer of this application. `tls`: people come over https alone."""

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        if tls:
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR}"
        if request.endpoint == "static" and request.args.get("v"):
            response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        elif request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response
