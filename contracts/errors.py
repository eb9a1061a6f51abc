"""The one table of error codes: code → whose fault, HTTP status, sentence in zh-CN and English, next step.

Nothing else formats an error. A `Fault` carries the code and the facts; the text is made at the edge.
Three roots, cut by who must act:

- `Fault`: something received is not acceptable. An expected outcome: inner functions raise it, the public
  function of each room catches it and returns it as a value.
- `UserError`: somebody at this machine made a mistake (command line, configuration, file). One line, exit code 2.
- `Corrupt`: what we stored ourselves is not what we wrote. The process must end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.text import Text

FAULTS = ("client", "policy", "department", "gateway")


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the table. `status` is the HTTP status when the error reaches an HTTP caller."""

    fault: str
    status: int
    title: Text
    next_step: Text


class Fault(Exception):
    """A refusal: `code` from the table, `pointer` (RFC 6901) to the place, `detail` without personal data."""

    def __init__(self, code: str, pointer: str = "", detail: str = "") -> None:
        super().__init__(code, pointer, detail)
        self.code = code
        self.pointer = pointer
        self.detail = detail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fault) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)

    @property
    def row(self) -> ErrorRow:
        return ERRORS[self.code]


class UserError(Exception):
    """A mistake of the person at this machine: `what` is wrong, `where`, and the `remedy`. Text in both languages."""

    def __init__(self, what: Text, where: str = "", remedy: Text | None = None) -> None:
        super().__init__(what.en, where)
        self.what = what
        self.where = where
        self.remedy = remedy


class Corrupt(Exception):
    """Stored bytes are not what was written. Never repaired silently."""


def _row(fault: str, status: int, zh: str, en: str, next_zh: str, next_en: str) -> ErrorRow:
    return ErrorRow(fault, status, Text(zh, en), Text(next_zh, next_en))


_RESEND = ("由提供部门修正后重新发布。", "The department corrects the message and publishes it again.")
_REGISTER = ("请安全管理员核对注册库。", "Ask the security officer to check the registry.")


def _bad_message(zh: str, en: str) -> ErrorRow:
    return _row("department", 422, zh, en, *_RESEND)


def _not_registered(zh: str, en: str) -> ErrorRow:
    return _row("department", 422, zh, en, *_REGISTER)


ERRORS: Mapping[str, ErrorRow] = {
    # --- encodings -----------------------------------------------------------------------------------------
    "base64_invalid": _bad_message("base64url 编码不规范", "Not strict base64url"),
    "json_invalid": _bad_message("JSON 不规范", "Not strict JSON"),
    "json_duplicate_name": _bad_message("JSON 含重复成员名", "A JSON object has a name twice"),
    # --- signatures and keys -------------------------------------------------------------------------------
    "jws_malformed": _bad_message("JWS 格式错误", "Not a compact JWS"),
    "jws_header_invalid": _bad_message("JWS 头部不符合规定", "The JWS header has other members than alg, kid, typ"),
    "typ_wrong": _bad_message("JWS 类型(typ)不符", "The JWS is of another type (typ)"),
    "alg_unknown": _bad_message("未知算法", "Unknown algorithm"),
    "alg_mismatch": _bad_message("算法与登记的密钥不符", "The algorithm is not the key's registered one"),
    "key_invalid": _not_registered("密钥无效", "The key is not valid"),
    "key_unknown": _not_registered("密钥未登记", "The key is not registered"),
    "key_not_for_stream": _not_registered("密钥不适用于该数据流", "The key does not cover this stream"),
    "key_out_of_range": _not_registered("序号超出密钥有效范围", "The number is outside the key's range"),
    "signature_invalid": _bad_message("签名无效", "The signature is not valid"),
}
