"""Reading requests: strict JSON, or a form with a question and one file, each within a cap and a time.

1. A body is `application/json`, or, for a call that takes a file, `multipart/form-data` with the parts `question`
   (JSON) and the file, in any order, once each. Nothing is decompressed.
2. No call but one takes query parameters: an address ends in other people's logs.
3. A body has `BODY_SECONDS` to arrive.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from audit.api.asking import Given, QuestionInvalid
from audit.api.checking import breaches
from contracts.encoding import parse_object
from contracts.errors import Fault

BODY_SECONDS: Final = 30.0
_JSON, _FORM = "application/json", "multipart/form-data"
_CHUNK = 64 * 1024


def no_query(request: web.Request) -> None:
    """Rule 2; raises `Fault` `query_refused`."""
    if request.rel_url.raw_query_string:
        raise Fault("query_refused")


async def read(request: web.Request, schema: Mapping[str, Any], most: int, file: str | None, needed: bool) -> Given:
    """The question of a request, checked; raises `Fault`.

    `file`: the name of the part that may be uploaded (None: only JSON), `needed`: must be. `most`: bytes of everything.
    """
    no_query(request)
    if (request.content_length or 0) > most:
        raise Fault("upload_too_large")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            given = await _parts(request, most, file)
    except TimeoutError:
        raise Fault("request_timeout") from None
    if needed and given.file is None:
        raise Fault("upload_invalid", detail=f"question, {file}")
    found = breaches(schema, given.body)
    if found:
        raise QuestionInvalid("request_invalid", found)
    return given


async def _parts(request: web.Request, most: int, file: str | None) -> Given:
    kinds = (_JSON,) if file is None else (_JSON, _FORM)
    if request.content_type not in kinds or "Content-Encoding" in request.headers:
        raise Fault("media_type_wrong")
    if request.content_type == _FORM and file is not None:
        return await _form(request, most, file)
    return Given(parse_object(await _collected(request.content.iter_chunked(_CHUNK), most)))


async def _form(request: web.Request, most: int, file: str) -> Given:
    found: dict[str, bytes] = {}
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name not in ("question", file) or part.name in found:
                raise Fault("upload_invalid", detail=f"question, {file}")
            found[part.name] = await _collected(_chunks(part), most - sum(map(len, found.values())))
    except (ValueError, AssertionError, HttpProcessingError):  # aiohttp's words for a form that is none
        raise Fault("upload_invalid", detail=f"question, {file}") from None
    if "question" not in found:
        raise Fault("upload_invalid", detail=f"question, {file}")
    return Given(parse_object(found["question"]), found.get(file))


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        yield chunk


async def _collected(chunks: AsyncIterator[bytes], most: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise Fault("upload_too_large")
    return bytes(body)
