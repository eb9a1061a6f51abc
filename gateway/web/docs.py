"""`/docs`: the interface for people, one page made from the OpenAPI document. Pure.

No script, no request to anywhere else: the style is in the page and named by its hash in the policy.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import orjson

from contracts.algorithms import sha256

_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    "code,pre{font:14px/1.5 ui-monospace,monospace;background:#f4f4f2;border-radius:4px}code{padding:.1rem .3rem}"
    "pre{padding:1rem;overflow:auto;max-height:30rem}h2{margin-top:2.5rem;border-top:1px solid #ddd;padding-top:1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;"
    "vertical-align:top}"
)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode())).decode()}'"
)


def page(document: Mapping[str, Any]) -> bytes:
    """The page (UTF-8 HTML) of an OpenAPI document."""
    title = escape(document["info"]["title"])
    parts = [
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1><p>{escape(document['servers'][0]['url'])} · ",
        '<a href="/openapi.json">OpenAPI 3.1</a> · <a href="/asyncapi.json">AsyncAPI 3.0</a> · ',
        '<a href="/v1/service-items">/v1/service-items</a></p>',
        *(
            _operation(path, method, form)
            for path, methods in document["paths"].items()
            for method, form in methods.items()
        ),
        "<h2>错误代码 / Error codes</h2><table><tr><th>code</th><th>HTTP</th><th></th></tr>",
        *_codes(document["components"]["schemas"]["Problem"]["x-codes"]),
        "</table></body></html>",
    ]
    return "".join(parts).encode()


def _operations(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, form in methods.items():
            yield _operation(path, method, form)


def _operation(path: str, method: str, form: Mapping[str, Any]) -> str:
    request = form.get("requestBody", {}).get("content", {})
    answer = form["responses"]["200"].get("content", {})
    statuses = ", ".join(status for status in form["responses"] if status != "200")
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(form['summary'])}</p>"
        + _body("请求 / Request", request)
        + _body("应答 / Answer", answer)
        + (f"<p>错误 / Errors: {escape(statuses)}</p>" if statuses else "")
    )


def _body(title: str, content: Mapping[str, Any]) -> str:
    return "".join(
        f"<h3>{escape(title)} <code>{escape(media)}</code></h3><pre>{_json(form['schema'])}</pre>"
        for media, form in content.items()
    )


def _json(schema: Any) -> str:
    return escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())


def _codes(codes: Mapping[str, Any]) -> Iterator[str]:
    for code, row in codes.items():
        title, step = (f"{escape(row[name]['zh-CN'])} / {escape(row[name]['en'])}" for name in ("title", "next_step"))
        yield f"<tr><td><code>{escape(code)}</code></td><td>{row['status']}</td><td>{title}<br>{step}</td></tr>"
