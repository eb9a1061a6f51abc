"""Pinned cosigners in a configuration: a witness's address and key, and the key alone of any cosigner."""

from audit.fetch import Endpoint, is_url
from audit.notes import COSIGNATURE, NoteKey, parse_vkey
from audit.witness.cosigning import WitnessAddress
from contracts.edge.config import Section
from contracts.errors import Fault
from contracts.text import Text

_BAD_URL = Text("url 须为 http(s)://主机[:端口][/路径]", "url must be http(s)://host[:port][/path]")
_BAD_VKEY = Text("不是见证者的验证公钥", "Not the verifier key of a witness")
_GIVE_VKEY = Text(
    "请填写见证者的 .vkey 文件内容(oncegate-audit keygen witness 生成)。",
    "Give the content of the witness's .vkey file (oncegate-audit keygen witness made it).",
)


def witness_in(section: Section) -> WitnessAddress:
    """The witness of a section with `url`, `vkey` and, where the system's certificates do not do, `ca`.

    Raises `UserError`.
    """
    url = section.text("url")
    if not is_url(url):
        raise section.mistake(_BAD_URL, "url")
    return WitnessAddress(Endpoint(url, section.path("ca", None)), cosigner_in(section, _BAD_VKEY, _GIVE_VKEY))


def cosigner_in(section: Section, wrong: Text, remedy: Text) -> NoteKey:
    """The `vkey` of a section; raises `UserError` with these words for what is none of a cosigner."""
    try:
        key = parse_vkey(section.text("vkey"))
    except Fault:
        key = None
    if key is None or key.kind != COSIGNATURE:
        raise section.mistake(wrong, "vkey", remedy)
    return key
