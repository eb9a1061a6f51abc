"""提取说明: what a package is, for the people who hand it over and who check it, in zh-CN. Pure.

1. It says who extracted what, when, with which question, from which logs up to where, and every data file's digests.
2. How to check again stands there (part 四) as commands for `sh` and `openssl`, with this package's own values. A line
   with four spaces is a command; `    # 应为 X` says how the output of the one before ends. A test runs them all.
3. It says what the package cannot show.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

from audit.notes import base64_text
from audit.package import manifest as names
from audit.package.manifest import GIVEN, FileFacts, LogFacts, Manifest
from audit.package.scope import FILTERS
from audit.package.table import STATES, beijing
from contracts.encoding import Json

BOM = "\ufeff"
EXPECTED = "# 应为 "


@dataclass(frozen=True, slots=True)
class Signed:
    """A line of a note that one key signed: `line` counts from 1; `time` of a cosignature in Unix seconds."""

    name: str
    key: str
    line: int
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint of the package: size and root, how many lines its text has, and who signed it."""

    log: LogFacts
    size: int
    root: bytes
    lines: int
    signatures: Sequence[Signed]


@dataclass(frozen=True, slots=True)
class Example:
    """The record that the commands are about, the package's first. `opened`: number and commit (hex) of the first
    opening that went out."""

    leaf_hash: bytes
    root: bytes
    opened: tuple[int, str] | None


def statement(package: str, made: Manifest, heads: Sequence[Head], example: Example | None) -> bytes:
    """The text for the file `package`; `made`: the manifest, so far without this text among its files."""
    parts = (
        _about(package, made),
        _scope(made, heads),
        _files(made.files),
        _by_hand(made, heads, example),
        _by_program(package, made),
        _LIMITS,
    )
    return (BOM + "\n".join("\n".join(part) + "\n" for part in parts)).encode()


def _about(package: str, made: Manifest) -> Iterator[str]:
    signed = all(one.vkey for one in made.extractors)
    yield "电子数据提取说明（审计访问记录）"
    yield ""
    yield "一、基本情况"
    yield f"  文件包：{_flat(package)}"
    yield f"  提取时间：{beijing(made.time)}（北京时间，取自提取所用计算机的时钟）"
    yield f"  提取工具：{made.tool}"
    for number, one in zip("一二", made.extractors, strict=True):
        yield f"  提取人{number}：{one.name}" + (f"（签名公钥 {one.vkey}）" if one.vkey else "")
    yield f"  提取人姓名按提取时所填写。{_SIGNED if signed else _UNSIGNED}"


def _scope(made: Manifest, heads: Sequence[Head]) -> Iterator[str]:
    yield "二、提取范围"
    yield "  查询条件（同一条件的多个值为“或”，不同条件为“且”）："
    asked = [f"    {FILTERS[name].zh}：{_value(name, made.filters[name])}" for name in FILTERS if name in made.filters]
    yield from asked or ["    无，即全部访问记录"]
    yield f"  符合条件的访问记录：{made.records} 条"
    yield from _openings(made)
    if made.recorded is not None:
        yield f"  本次提取在写出之前已记入审计员的查询日志 {made.recorded[0]}，位置 {made.recorded[1]}。"
    yield "  被查询的日志："
    for number, head in enumerate(heads, 1):
        yield f"    {number}. {head.log.origin}：其中 {head.log.records} 条；索引核验至第 {head.log.indexed} 条"
        yield f"       证明所依据的检查点：{head.log.checkpoint}，共 {head.size} 条，根 {head.root.hex()}"
        yield f"       验证公钥：{head.log.vkey}（{_ORIGIN_OF_KEY[head.log.key_from == GIVEN]}）"
    for one in made.witnesses:
        yield f"  见证方公钥：{one.vkey}（由提取人给出，请与见证方核对）"


def _openings(made: Manifest) -> Iterator[str]:
    if made.openings is None:
        yield "  密封内容（持证主体、窗口人员、办件号等）：未提取"
        return
    counts = "、".join(f"{STATES[state].zh} {made.openings[state]} 条" for state in STATES)
    yield f"  密封内容（持证主体、窗口人员、办件号等）：{counts}"


def _files(files: Sequence[FileFacts]) -> Iterator[str]:
    yield "三、文件与摘要"
    for one in files:
        yield f"  {one.name}（{one.digest.size} 字节）{_WHAT.get(one.name, '')}"
        yield f"    SHA-256 {one.digest.sha256}"
        yield f"    SM3     {one.digest.sm3}"
    yield f"  {names.NAME} 列出以上文件及本说明的大小与摘要；请把整个文件包的摘要写入提取笔录。"


def _by_hand(made: Manifest, heads: Sequence[Head], example: Example | None) -> Iterator[str]:
    yield "四、用 openssl 复核（无需本系统软件）"
    yield "  把文件包解开到空目录，在该目录中用 sh 依次执行下列命令；“应为”一行是上一条命令输出的结尾。"
    yield "  核验签名须用 OpenSSL 3.0 或更高版本，请先看版本；提示不认识选项 -rawin 是版本过旧，不是签名无效。"
    yield "    export LC_ALL=C"
    yield "    openssl version"
    yield "  1. 每个文件的摘要，应与第三部分所列相同"
    for one in made.files:
        yield f"    openssl dgst -sha256 {one.name}; openssl dgst -sm3 {one.name}"
    yield f"    grep -c $(openssl dgst -sha256 -r {names.STATEMENT} | cut -d' ' -f1) {names.NAME}"
    yield f"    {EXPECTED}1"
    if example is not None:
        yield from _record_by_hand(example)
    for head in heads:
        yield f"  检查点 {head.log.checkpoint} 的签名（日志 {head.log.origin}）"
        yield from _signatures(head.log.checkpoint, head.lines, head.signatures)
    if all(one.vkey for one in made.extractors):
        yield from _extractors_by_hand(made)


def _record_by_hand(example: Example) -> Iterator[str]:
    yield "  2. 第 N 条记录的叶哈希（SHA-256，前置一个零字节；此处 N=1，可换成任何一条）"
    yield "    N=1"
    yield from _block(_LEAF)
    yield f"    {EXPECTED}{example.leaf_hash.hex()}"
    yield "  3. 由叶哈希和证明算出日志的根（RFC 9162 2.1.3.2），应等于检查点的第三行"
    yield from _block(_ROOT)
    yield f"    {EXPECTED}{base64_text(example.root)}"
    if example.opened is not None:
        number, commit = example.opened
        yield f"  4. 第 {number} 条的密封内容与记录中的 commit（SHA-256，盐、零字节、内容）"
        yield f"    N={number}"
        yield from _block(_COMMIT)
        yield f"    {EXPECTED}{commit}"


def _signatures(note: str, lines: int, signatures: Sequence[Signed]) -> Iterator[str]:
    """Every signature of a note with a text of so many lines."""
    for one in signatures:
        text = f"head -n {lines} {note}"
        if one.time is not None:
            text = f"{{ printf 'cosignature/v1\\ntime {one.time}\\n'; {text}; }}"
            yield f"  见证方 {one.name} 的共同签名，时间 {beijing(one.time * 1000)}"
        yield f"    {text} > text.tmp"
        yield f"    sed -n {one.line}p {note} | cut -d' ' -f3 | openssl base64 -d -A | tail -c 64 > sig.tmp"
        yield f"    openssl pkeyutl -verify -pubin -inkey {one.key}.pem -rawin -in text.tmp -sigfile sig.tmp"
        yield f"    {EXPECTED}Signature Verified Successfully"


def _extractors_by_hand(made: Manifest) -> Iterator[str]:
    yield f"  提取人对 {names.NAME} 的签名：{names.SIGNATURES} 前三行写有其摘要，其后每行一个签名"
    yield f"    said=$(sed -n 2p {names.SIGNATURES} | cut -d' ' -f3)"
    yield f"    test $(openssl dgst -sha256 -r {names.NAME} | cut -d' ' -f1) = $said && echo 一致"
    yield f"    {EXPECTED}一致"
    lines = (Signed(one.name, one.key or "", number) for number, one in enumerate(made.extractors, 5))
    yield from _signatures(names.SIGNATURES, 3, list(lines))


def _by_program(package: str, made: Manifest) -> Iterator[str]:
    keys = " ".join(f"--vkey {quote(log.vkey)}" for log in made.logs)
    yield "五、用 oncegate-audit 复核（无需网络；逐条核对全部记录、证明、密封内容与表格）"
    yield "  公钥请使用从注册库另行取得的，不要照抄本文件："
    yield f"    oncegate-audit verify {quote(_flat(package))} {keys}"


def _block(commands: str) -> Iterator[str]:
    return (f"    {line}" for line in commands.strip("\n").split("\n"))


def _value(name: str, value: Json) -> str:
    if name in ("from", "to"):
        return f"{beijing(value)}（北京时间）"
    return _flat("、".join(value) if type(value) is list else str(value))


def _flat(text: str) -> str:
    """In one line, so that no value can look like a line of ours."""
    return " ".join(text.split())


_SIGNED = f"两人已用各自的密钥对 {names.NAME} 签名。"
_UNSIGNED = "两人未作电子签名，请以笔录签字为准。"
_ORIGIN_OF_KEY = ("取自审计索引，请与注册库公布的公钥核对", "由提取人给出，请与注册库公布的公钥核对")
_WHAT = {
    names.RECORDS: "：访问记录原文，每行一条",
    names.TABLE: "：由记录生成的表格，供阅读；电子表格会误作公式、数字或日期的文字（如证件号码）前加有撇号（'）",
    names.PROOFS: "：每条记录在日志中的证明（c2sp.org/tlog-proof@v1），次序与记录相同",
    names.OPENINGS: "：密封内容，每行一条，次序与记录相同",
}

_LEAF = r"""
sed -n ${N}p records.ndjson | sed 's/^{"leaf":"//; s/","log":".*$//; s/\\\(.\)/\1/g' | tr -d '\n' > leaf.tmp
{ printf '\000'; cat leaf.tmp; } | openssl dgst -sha256
"""
_ROOT = r"""
awk -v n=$N '/^c2sp.org\/tlog-proof@v1$/ { k++ } k == n' proofs.txt > proof.tmp
i=$(sed -n 's/^index //p' proof.tmp); m=$(($(sed -n '/^$/{n;n;p;q;}' proof.tmp) - 1))
{ printf '\000'; cat leaf.tmp; } | openssl dgst -sha256 -binary > hash.tmp
for hash in $(sed '/^$/,$d; 1,/^index /d' proof.tmp); do
  printf %s $hash | openssl base64 -d -A > other.tmp
  if [ $((i % 2)) = 1 ] || [ $i = $m ]; then
    { printf '\001'; cat other.tmp hash.tmp; } | openssl dgst -sha256 -binary > next.tmp
    while [ $((i % 2)) = 0 ] && [ $i != 0 ]; do i=$((i / 2)); m=$((m / 2)); done
  else
    { printf '\001'; cat hash.tmp other.tmp; } | openssl dgst -sha256 -binary > next.tmp
  fi
  mv next.tmp hash.tmp; i=$((i / 2)); m=$((m / 2))
done
openssl base64 -A -in hash.tmp; echo
"""
_COMMIT = r"""
sed -n ${N}p openings.ndjson > line.tmp
sed 's/^.*","salt":"//; s/".*$//' line.tmp | openssl base64 -d -A > salt.tmp
sed 's/^{"number":[0-9]*,"opening":"//; s/","salt":".*$//; s/\\\(.\)/\1/g' line.tmp | tr -d '\n' > opening.tmp
{ cat salt.tmp; printf '\000'; cat opening.tmp; } | openssl dgst -sha256
"""

_LIMITS = (
    "六、说明与局限",
    "  1. 文件包证明：每条记录原样存在于所列日志、位置与检查点之下，此后未被改动；密封内容就是记录当时所承诺的内容。",
    "  2. 文件包本身不能证明没有漏取：是否还有其他符合条件的记录，须以日志副本（镜像）重新查询核对。",
    "  3. 时间为网关写入记录时的时间；检查点若有见证方共同签名，可证明记录不晚于该签名时间。",
    "  4. 公钥随包附上仅为方便；判断真伪须使用从注册库或见证方另行取得的公钥。",
)
