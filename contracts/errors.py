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


class Unavailable(Exception):
    """Something that we need does not answer now, though nothing is known to be wrong with it. Try again later."""


def _row(fault: str, status: int, zh: str, en: str, next_zh: str, next_en: str) -> ErrorRow:
    return ErrorRow(fault, status, Text(zh, en), Text(next_zh, next_en))


_RESEND = ("由提供部门修正后重新发布。", "The department corrects the message and publishes it again.")
_REGISTER = ("请安全管理员核对注册库。", "Ask the security officer to check the registry.")


def _bad_message(zh: str, en: str) -> ErrorRow:
    return _row("department", 422, zh, en, *_RESEND)


def _not_registered(zh: str, en: str) -> ErrorRow:
    return _row("department", 422, zh, en, *_REGISTER)


def _registry(zh: str, en: str) -> ErrorRow:
    step = ("请系统管理员重新构建并发布注册库。", "The administrator builds and publishes the registry again.")
    return _row("gateway", 503, zh, en, *step)


def _bad_proof(zh: str, en: str) -> ErrorRow:
    return _row("gateway", 422, zh, en, "保存全部凭证，并通知审计员。", "Keep everything and tell the auditor.")


def _bad_row(zh: str, en: str) -> ErrorRow:
    step = ("请在源系统中改正该行后重新运行适配器。", "Correct the row in the source and run the adapter again.")
    return _row("department", 422, zh, en, *step)


def _not_authenticated(zh: str, en: str) -> ErrorRow:
    step = ("请核对密钥、证书、时钟与请求地址。", "Check key, certificate, clock and request address.")
    return _row("client", 401, zh, en, *step)


def _bad_token_request(zh: str, en: str) -> ErrorRow:
    step = ("请按接口文档改正令牌请求。", "Correct the token request as documented.")
    return _row("client", 400, zh, en, *step)


def _auditing(fault: str, status: int, zh: str, en: str, step: tuple[str, str]) -> ErrorRow:
    return _row(fault, status, zh, en, *step)


_ROLES = ("请审计主机管理员核对配置中的 roles。", "Ask who runs the auditor's host for the role.")
_ASK_ANEW = ("请按说明改正后重新提出。", "Correct it as the errors say, and ask again.")
_NARROW = ("请用时间等条件缩小范围。", "Narrow it, with a time for example.")
_KEYS = ("请审计主机管理员以所需私钥启动服务。", "Have the server started with the private key that it takes.")
_REINDEX = ("请用两位审计员的私钥重新建立索引。", "Build the index anew with the keys that make them.")
_SECOND = ("请与另一位审计员商议。", "Talk to another auditor.")
_COMPARE = (
    "请与提出人核对后再报；三次不符即作拒绝。",
    "Compare with who asked; the third mistake refuses the question.",
)
_RETRY = ("请稍后重试。", "Try again shortly.")
_HOST = ("请联系审计主机管理员。", "Tell who runs the auditor's host.")
_KEEP_COPY = ("请保留该副本，并与其他副本及见证方核对。", "Keep it; compare with other copies and with witnesses.")


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
    "unwrap_failed": _bad_message("封装的密钥无法解开", "A wrapped key does not open"),
    # --- evidence messages and feed statements -------------------------------------------------------------
    "message_too_large": _bad_message("消息超过大小上限", "The message is over the size limit"),
    "message_malformed": _bad_message("消息格式错误或被截断", "The message is malformed or truncated"),
    "disclosures_too_many": _bad_message("披露项过多", "Too many disclosures"),
    "operation_unknown": _bad_message("未知操作", "Unknown operation"),
    "claims_invalid": _bad_message("声明不符合规定", "The claims are not as specified"),
    "sd_alg_mismatch": _bad_message("摘要算法与密钥不符", "The digest algorithm is not the key's"),
    "issuer_mismatch": _bad_message("签发单位或适配器与密钥不符", "Issuer or adapter is not the key's"),
    "type_unknown": _not_registered("未知证照类型或版本", "Unknown evidence type or version"),
    "epoch_revoked": _not_registered("该纪元已作废", "This epoch no longer counts"),
    "disclosure_unlisted": _bad_message("披露项不在签名中", "A disclosure is not listed in the signed payload"),
    "disclosure_duplicate": _bad_message("披露项重复", "A disclosure is present twice"),
    "disclosure_malformed": _bad_message("披露项格式错误", "A disclosure is malformed"),
    "salt_too_short": _bad_message("披露项的盐值不足 128 位", "The salt of a disclosure has less than 128 bits"),
    "field_exposed": _bad_message(
        "应作为披露项的字段以明文出现", "A field that must be a disclosure stands in the open"
    ),
    "digest_duplicate": _bad_message("摘要重复", "A digest is listed twice"),
    "name_reserved": _bad_message("使用了保留名称", "A reserved name (_sd, ...) is used"),
    "name_duplicate": _bad_message("字段重复", "A field is present twice"),
    "name_unknown": _bad_message("字段不属于该证照类型", "A field does not belong to the type"),
    "envelope_malformed": _bad_message("加密信封格式错误", "The encrypted envelope is malformed"),
    "envelope_altered": _bad_message("加密信封被改动", "The encrypted envelope was altered"),
    "zone_key_unknown": _not_registered("加密所用的区域密钥不在本节点", "Encrypted to a zone key that this node lacks"),
    # --- ingest --------------------------------------------------------------------------------------------
    "log_key_mismatch": _bad_message("日志键与消息内的记录号不符", "The log key is not the record inside"),
    "replayed": _bad_message("序号已用过，消息为重放", "The number was used long ago: a replay"),
    "equivocation": _not_registered("同一序号出现两条不同消息", "Two different messages have the same number"),
    "disclosures_missing": _bad_message("披露项不全", "Disclosures are missing that were published"),
    "record_erased": _bad_message("记录已被清除，不可再用", "The record was erased and is never used again"),
    "erasure_held_up": _row(
        "department",
        503,
        "已清除的内容仍在消息日志中：其后该数据流长时间无新消息，日志无法清理",
        "Erased content stays in the message log: the stream has been silent since, so the log cannot be cleaned",
        "请部门启动适配器；一条对账单即可使清理继续。",
        "Let the department start its adapter: one feed statement lets the cleaning go on.",
    ),
    "statement_outdated": _bad_message("对账单已过时", "The feed statement is outdated"),
    "null_value": _bad_message("日志中出现空值", "A record on the log has no value"),
    "offset_out_of_range": _row(
        "gateway",
        503,
        "日志中已没有本节点要读的位置",
        "The log no longer has the place that this node reads from",
        "请从日志重建存储。",
        "Rebuild the store from the log.",
    ),
    "topic_replaced": _row(
        "gateway",
        503,
        "主题已被删除或重建，本节点读到的位置不再有效",
        "The topic was deleted or made anew: the place that this node reads from means nothing in it",
        "查明何人删除了主题；由部门重新发布全部数据后，运行 oncegate store build --switch。",
        "Find out who deleted it; let the department publish everything again, then `oncegate store build --switch`.",
    ),
    # --- evidence types and service items ------------------------------------------------------------------
    "evidence_type_invalid": _registry("证照类型定义不符合规定", "An evidence type's definition is not as specified"),
    "service_item_invalid": _registry("事项定义不符合规定", "A service item's definition is not as specified"),
    "document_doubtful": _row(
        "department",
        422,
        "数据存疑,已照常处理",
        "Doubtful, and taken as it is",
        "请部门核对该值。",
        "The department checks the value.",
    ),
    "document_invalid": _bad_message("内容不符合证照类型的规定", "The content breaks the rules of its evidence type"),
    # --- rows of a department's source (adapter) -------------------------------------------------------------
    "row_undecodable": _bad_row("含无法解码的字节", "Bytes that are not text in the file's encoding"),
    "row_quotes": _bad_row("引号不配对", "The quotes do not match"),
    "row_columns": _bad_row("列数与表头不符", "Not as many columns as the header"),
    "row_too_long": _bad_row("行过长", "The row is too long"),
    "row_key_missing": _bad_row("记录主键为空", "The key of the record is empty"),
    "row_key_duplicate": _bad_row("记录主键重复", "The key of the record is in the source more than once"),
    "row_record_erased": _row(
        "department",
        422,
        "该行的记录已被清除，不再发布",
        "The record of this row was erased; it is not published any more",
        "请在源系统中删除该行；若清除有误，用 oncegate-adapter readmit 以新记录号重新发布。",
        "Delete the row in the source; if the erasure was a mistake, `oncegate-adapter readmit` publishes it under a "
        "new record id.",
    ),
    "row_value_missing": _bad_row("必填项为空", "A required value is empty"),
    "row_date_invalid": _bad_row("不是有效日期", "Not a date"),
    "row_number_invalid": _bad_row("不是有效数字", "Not a number of the expected form"),
    "row_code_unknown": _bad_row("代码不在对照表中", "Not a word of the code table"),
    "row_holders_invalid": _bad_row("持证主体无法识别", "The holders cannot be read"),
    "row_list_invalid": _bad_row("列表各部分数量不符", "The parts of the list do not match"),
    "row_digits_lost": _row(
        "department",
        422,
        "数字超过 15 位，末尾数字已丢失；请将该列设为文本格式后重新录入",
        "A number of more than 15 digits has lost the last ones; make the column text, then enter it again",
        "请将该列设为文本格式(数据库为字符类型)，再从原始材料重新录入。",
        "Format the column as text (in a database: a character type), then enter it again from the original.",
    ),
    "row_cell_error": _bad_row("单元格为错误值或公式未计算", "The cell holds an error or a formula without a value"),
    "row_cell_merged": _bad_row("合并单元格，无法确定其值", "The cell is part of a merged one: whose value is it"),
    "row_cell_type": _bad_row(
        "该类型的值没有文本形式，请在查询中转换", "A value of a type that has no text; convert it in the query"
    ),
    # --- registry ------------------------------------------------------------------------------------------
    "part_invalid": _registry("注册库内容不符合规定", "A registry part is not as specified"),
    "part_missing": _registry("注册库缺少分片", "A registry part is missing"),
    "part_altered": _registry("注册库分片与摘要不符", "A registry part does not match its digest"),
    "part_too_large": _registry("注册库分片过大", "A registry part is too large"),
    "registry_root_unknown": _registry("注册库不是由固定的根密钥签名", "The registry is not signed by the pinned root"),
    "registry_rollback": _registry("注册库版本低于已见版本", "The registry is older than one already seen"),
    "registry_altered": _registry("同一版本注册库内容不同", "The registry has the same version but other content"),
    "registry_absent": _registry("本节点尚无注册库", "This node has no registry yet"),
    "registry_expired": _registry("注册库已过有效期", "The registry is past its validity"),
    # --- audit log and receipts ----------------------------------------------------------------------------
    "audit_unavailable": _row(
        "gateway",
        503,
        "访问记录无法写入，未提供任何数据",
        "The access record cannot be written, so nothing was released",
        "请稍后重试；仍不成功时联系网关运维。",
        "Try again shortly; if it persists, call the operator of the gateway.",
    ),
    "record_too_large": _row(
        "gateway",
        503,
        "访问记录超过长度上限",
        "The access record would exceed its size limit",
        "请减少一次调取的数量。",
        "Ask for fewer records at once.",
    ),
    "entry_unknown": _row(
        "client",
        404,
        "日志中没有该序号",
        "The log has no entry of this index",
        "请核对存证凭证中的日志和序号。",
        "Check the log and the index in the receipt.",
    ),
    "past_retention": _row(
        "policy",
        404,
        "该审计日志已超过保存期限并已删除",
        "That audit log is past its retention and was removed",
        "凭证本身仍可核验;记录内容请向审计部门查询。",
        "The receipt that you hold still verifies. Ask the auditor whether a copy is kept.",
    ),
    "tile_path_invalid": _bad_proof("日志文件路径不规范", "Not the path of a log tile"),
    "vkey_invalid": _bad_proof("日志验证公钥无效", "Not a valid verifier key"),
    "witness_overdue": _row(
        "gateway",
        503,
        "审计日志长时间未获见证，暂停提供数据",
        "No witness has cosigned the audit log for too long, so nothing is released",
        "请稍后重试；网关运维请检查到见证服务的连接。",
        "Try again later; the operator of the gateway looks at the connection to the witness.",
    ),
    "mirror_unavailable": _row(
        "gateway",
        503,
        "审计镜像未确认该访问记录，未提供任何数据",
        "The auditor's mirror has not confirmed the access record, so nothing was released",
        "请稍后重试；仍不成功时联系网关运维与审计员，检查镜像服务及其网络。",
        "Try again shortly; if it persists, the operator and the auditor look at the mirror and the way to it.",
    ),
    "log_contradicted": _row(
        "gateway",
        409,
        "审计日志与镜像持有的检查点矛盾，日志已停止",
        "The audit log contradicts a head that it signed; it has ended",
        "日志可能被回滚或改写：保存全部凭证，并通知审计员。",
        "The log was put back or rewritten: keep everything and tell the auditor.",
    ),
    "witness_request_malformed": _bad_proof("见证请求格式错误", "Not a request to a witness"),
    "note_malformed": _bad_proof("签名文本格式错误", "Not a signed note"),
    "note_signature_invalid": _bad_proof("没有可信且有效的签名", "No valid signature of a known key"),
    "checkpoint_malformed": _bad_proof("日志检查点格式错误", "Not a log checkpoint"),
    "checkpoint_origin_wrong": _bad_proof("检查点属于另一日志", "The checkpoint is of another log"),
    "proof_malformed": _bad_proof("日志证明格式错误", "Not a log proof"),
    "proof_invalid": _bad_proof("日志证明不成立", "The log proof does not hold"),
    "receipt_malformed": _bad_proof("存证凭证格式错误", "Not a receipt"),
    "receipt_mismatch": _bad_proof("访问记录与所知事实不符", "The access record differs from what is known"),
    "manifest_malformed": _bad_proof("证据文件包清单格式错误", "Not a manifest of an evidence package"),
    "package_line_malformed": _bad_proof("证据文件包内容格式错误", "Not a line of an evidence package"),
    "opening_unreadable": _bad_proof("密封内容无法打开", "The opening cannot be opened with this key"),
    # --- orders about openings ----------------------------------------------------------------------------
    "order_malformed": _bad_proof("指令格式错误", "Not an order about openings"),
    "positions_malformed": _bad_proof("条目序号范围格式错误", "Not sorted ranges of positions"),
    "order_not_signed_twice": _bad_proof(
        "指令须由审计员与日志双方签名", "An order needs both signatures, the auditor's and the log's"
    ),
    "order_keys_same": _bad_proof(
        "审计员指令密钥与日志密钥相同", "The auditor's order key and the log's key are one and the same"
    ),
    "order_of_another_log": _bad_proof("指令属于另一日志", "The order is about another log"),
    # --- message log ---------------------------------------------------------------------------------------
    "log_record_too_large": _bad_message("记录超过消息日志允许的大小", "The record is too large for the message log"),
    # --- tokens --------------------------------------------------------------------------------------------
    "unauthenticated": _not_authenticated("未通过身份认证", "Not authenticated"),
    "token_missing": _not_authenticated("请求未携带令牌", "The request carries no token"),
    "authorization_malformed": _not_authenticated("Authorization 头不规范", "Not one well-formed Authorization field"),
    "token_claims_invalid": _not_authenticated("令牌声明不符合规定", "The token's claims are not as specified"),
    "token_expired": _not_authenticated("令牌已过期", "The token has expired"),
    "token_binding_mismatch": _not_authenticated("令牌绑定方式不符", "The token is bound in another way"),
    "client_unknown": _not_authenticated("应用或其密钥未登记", "The app, or its key, is not registered"),
    "certificate_missing": _not_authenticated("连接未出示客户端证书", "The connection shows no client certificate"),
    "certificate_mismatch": _not_authenticated("客户端证书不是所绑定的证书", "Not the bound client certificate"),
    "certificate_expired": _not_authenticated("客户端证书不在有效期内", "The client certificate is not valid now"),
    "dpop_missing": _not_authenticated("缺少 DPoP 证明", "The DPoP proof is missing"),
    "dpop_malformed": _not_authenticated("DPoP 证明不规范", "Not one well-formed DPoP proof"),
    "dpop_key_invalid": _not_authenticated("DPoP 证明中的公钥不规范", "The key in the DPoP proof is not acceptable"),
    "dpop_signature_invalid": _not_authenticated("DPoP 证明签名无效", "The DPoP proof's signature is not valid"),
    "dpop_key_mismatch": _not_authenticated("DPoP 证明不是用登记的密钥签名", "The DPoP proof is by another key"),
    "dpop_claims_invalid": _not_authenticated("DPoP 证明声明不规范", "The DPoP proof's claims are not as specified"),
    "dpop_wrong_request": _not_authenticated("DPoP 证明属于另一请求", "The DPoP proof is for another request"),
    "dpop_token_mismatch": _not_authenticated("DPoP 证明属于另一令牌", "The DPoP proof is for another token"),
    "dpop_stale": _not_authenticated("DPoP 证明时间不在允许范围", "The DPoP proof is too old or from the future"),
    "dpop_replayed": _not_authenticated("DPoP 证明已被使用", "The DPoP proof was used before"),
    "assertion_claims_invalid": _not_authenticated("客户端断言声明不规范", "The claims are not as specified"),
    "assertion_audience": _not_authenticated("客户端断言的 aud 不是本网关", "The assertion is for another audience"),
    "assertion_stale": _not_authenticated("客户端断言不在有效时间内", "The assertion is expired or not yet valid"),
    "assertion_lifetime": _not_authenticated("客户端断言有效期过长", "The assertion lives too long"),
    "assertion_replayed": _not_authenticated("客户端断言已被使用", "The assertion was used before"),
    "form_invalid": _bad_token_request("表单不规范", "Not a well-formed form"),
    "grant_type_unsupported": _bad_token_request("不支持的 grant_type", "Only client_credentials is supported"),
    "client_method_unsupported": _bad_token_request("不支持的客户端认证方式", "Not a client authentication of ours"),
    "scope_unsupported": _bad_token_request("不支持 scope", "Scopes are not used here"),
    "resource_unknown": _bad_token_request("resource 不是本网关", "The resource is not this gateway"),
    "binding_missing": _bad_token_request("缺少 DPoP 证明或客户端证书", "Neither DPoP proof nor client certificate"),
    "replay_memory_full": _row(
        "gateway",
        503,
        "防重放存储已满",
        "The memory of used proofs is full",
        "请稍后重试，并通知网关运维。",
        "Try again shortly, and tell the operator of the gateway.",
    ),
    "too_many_failures": _row(
        "client",
        429,
        "该地址认证失败次数过多",
        "Too many failures to authenticate from this address",
        "请改正客户端后稍候再试。",
        "Correct the client, wait, then try again.",
    ),
    # --- access decisions ----------------------------------------------------------------------------------
    "app_unknown": _row(
        "policy",
        403,
        "应用未登记",
        "The app is not registered",
        "请联系安全管理员调整授权。",
        "Ask the security officer about the grant.",
    ),
    "item_not_granted": _row(
        "policy",
        403,
        "未授权使用该事项",
        "The app does not hold this service item",
        "请联系安全管理员调整授权。",
        "Ask the security officer about the grant.",
    ),
    "channel_missing": _row(
        "client",
        400,
        "应用在多个渠道持有该事项，须说明渠道(channel)",
        "The app holds this item on several channels: say which (channel)",
        "请在请求中写明 channel。",
        "Name the channel in the request.",
    ),
    "channel_not_granted": _row(
        "policy",
        403,
        "未授权在该渠道使用该事项",
        "The service item is not granted on this channel",
        "请联系安全管理员调整授权。",
        "Ask the security officer about the grant.",
    ),
    "grant_expired": _row(
        "policy",
        403,
        "授权已到期",
        "The grant has run out",
        "请联系安全管理员调整授权。",
        "Ask the security officer about the grant.",
    ),
    "limit_reached": _row(
        "policy",
        429,
        "今日调取次数已达授权上限",
        "Today's number of granted questions is used up",
        "请次日再试，或联系安全管理员调整授权。",
        "Try again tomorrow, or ask the security officer about the grant.",
    ),
    "type_not_listed": _row(
        "policy",
        403,
        "该事项不需要此类证照",
        "The service item does not list this evidence type",
        "请对照事项目录(/v1/service-items)。",
        "See the catalogue of service items (/v1/service-items).",
    ),
    "type_not_in_force": _row(
        "policy",
        403,
        "该证照类型当前没有生效的版本",
        "No version of this evidence type is in force today",
        "请看证照类型的生效与停用日期(/v1/evidence-types)。",
        "See when its versions are in force (/v1/evidence-types).",
    ),
    "fact_unknown": _row(
        "client",
        400,
        "申报了该事项没有的情形",
        "A fact is declared that the service item does not have",
        "请对照事项目录(/v1/service-items)中的 facts。",
        "See `facts` in the catalogue of service items (/v1/service-items).",
    ),
    "fact_missing": _row(
        "client",
        400,
        "缺少申请人对情形的申报",
        "A fact that the applicant has to declare is missing",
        "请在 facts 中写明 true 或 false。",
        "Say true or false in `facts`.",
    ),
    "proof_not_needed": _row(
        "policy",
        403,
        "按申报情形不需要此类证照",
        "Under the declared facts this evidence type is not needed",
        "请核对申报情形,或不再调取。",
        "Check what was declared, or do not ask for it.",
    ),
    "field_not_listed": _row(
        "policy",
        403,
        "该事项不需要此字段",
        "The service item does not list this field",
        "请对照事项目录(/v1/service-items)。",
        "See the catalogue of service items (/v1/service-items).",
    ),
    "scheme_not_allowed": _row(
        "client",
        400,
        "此类证照不使用该主体标识",
        "The evidence type does not know this holder scheme",
        "请对照证照目录(/v1/evidence-types)。",
        "See the catalogue of evidence types (/v1/evidence-types).",
    ),
    "not_a_key_field": _row(
        "client",
        400,
        "该字段不能用于查询",
        "The evidence type is not looked up by this field",
        "请对照证照目录(/v1/evidence-types)。",
        "See the catalogue of evidence types (/v1/evidence-types).",
    ),
    "identifier_invalid": _row(
        "client",
        400,
        "标识号码不正确",
        "The identifier is not well formed",
        "请核对号码后重新输入。",
        "Check the number and enter it again.",
    ),
    # --- HTTP ----------------------------------------------------------------------------------------------
    "request_invalid": _row(
        "client",
        400,
        "请求内容不符合接口规定",
        "The request is not as the interface specifies",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "request_not_json": _row(
        "client",
        400,
        "请求正文不是规范的 JSON 对象",
        "The body is not a strict JSON object",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "query_refused": _row(
        "client",
        400,
        "该接口不接受查询参数",
        "This call takes no query parameters",
        "请将内容放入请求正文；网址中不得出现个人信息。",
        "Put it into the body: nothing about people belongs into an address.",
    ),
    "http_malformed": _row(
        "client",
        400,
        "HTTP 请求格式错误",
        "Not a well-formed HTTP request",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "route_unknown": _row(
        "client",
        404,
        "没有这个接口",
        "There is no such call",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "method_wrong": _row(
        "client",
        405,
        "该接口不支持此方法",
        "This call has another method",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "request_timeout": _row(
        "client",
        408,
        "请求接收超时",
        "The request did not arrive in time",
        "请稍后重试；仍不成功时联系网关运维。",
        "Try again shortly; if it persists, call the operator of the gateway.",
    ),
    "body_too_large": _row(
        "client",
        413,
        "请求正文超过 16 KB",
        "The body is over 16 KB",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "media_type_wrong": _row(
        "client",
        415,
        "请求正文的类型须为 application/json",
        "The body must be application/json",
        "请对照接口文档(/docs 或 /openapi.json)修正请求。",
        "Correct the request after the interface documentation (/docs or /openapi.json).",
    ),
    "auditors_only": _row(
        "policy",
        403,
        "仅限审计员",
        "For auditors only",
        "请联系审计管理员。",
        "Ask the auditor.",
    ),
    "store_unavailable": _row(
        "gateway",
        503,
        "证照库暂不可用",
        "The evidence store cannot be read",
        "请稍后重试；仍不成功时联系网关运维。",
        "Try again shortly; if it persists, call the operator of the gateway.",
    ),
    # --- correction requests ---------------------------------------------------------------------------------
    "correction_record_unknown": _row(
        "client",
        422,
        "没有该证照类型的这条记录，或其内容已不再提供",
        "There is no such record of this evidence type, or it is no longer supplied",
        "请使用调取结果中的 record。",
        "Give `record` as a lookup answered it.",
    ),
    "correction_unavailable": _row(
        "gateway",
        503,
        "纠错申请暂时无法受理",
        "Correction requests cannot be taken now",
        "请稍后重试；仍不成功时联系网关运维。",
        "Try again shortly; if it persists, call the operator of the gateway.",
    ),
    "answer_too_large": _row(
        "client",
        422,
        "结果超过 100 条，未提供任何数据",
        "More than 100 records answer this; nothing was released",
        "请缩小查询范围。",
        "Ask a narrower question.",
    ),
    "internal": _row(
        "gateway",
        500,
        "网关内部错误",
        "The gateway failed",
        "请稍后重试；仍不成功时联系网关运维。",
        "Try again shortly; if it persists, call the operator of the gateway.",
    ),
    # --- the auditor's API ---------------------------------------------------------------------------------
    "role_missing": _auditing("policy", 403, "该审计员无此权限", "This auditor does not have the role", _ROLES),
    "question_invalid": _auditing("client", 422, "无法如此查询", "This cannot be asked like that", _ASK_ANEW),
    "question_too_large": _auditing("client", 422, "涉及的记录过多", "Too many records are concerned", _NARROW),
    "question_too_long": _auditing(
        "client", 503, "查询超时，已中止", "The question took too long and was ended", _NARROW
    ),
    "upload_too_large": _auditing("client", 413, "请求正文过大", "The body is over what this call takes", _ASK_ANEW),
    "upload_invalid": _auditing(
        "client",
        400,
        "表单须含 question 及该接口的文件",
        "A form has the part question and this call's file",
        _ASK_ANEW,
    ),
    "keys_missing": _auditing(
        "policy", 409, "本服务未持有所需密钥", "This server was not given the key for that", _KEYS
    ),
    "tokens_missing": _auditing("policy", 409, "索引无此类令牌", "The index has no tokens of this kind", _REINDEX),
    "approval_unknown": _auditing(
        "client", 404, "没有该待核准查询", "There is no such question to agree to", _ASK_ANEW
    ),
    "approval_of_own": _auditing("policy", 403, "不能核准本人的查询", "Nobody agrees to their own question", _SECOND),
    "approval_mismatch": _auditing(
        "client", 409, "所报主体或文件与查询不符", "The holder or file named is not the question's", _COMPARE
    ),
    "approval_done": _auditing("client", 409, "该查询已有结论", "Somebody has decided about this already", _ASK_ANEW),
    "approval_refused": _auditing("policy", 403, "第二位审计员未同意", "The second auditor refused", _SECOND),
    "approval_expired": _auditing(
        "client", 410, "核准已过期", "The time for agreeing, or for asking, is over", _ASK_ANEW
    ),
    "approvals_full": _auditing("client", 429, "待核准查询过多", "Too many questions wait to be agreed to", _SECOND),
    "auditors_busy": _auditing("gateway", 503, "查询过多，请稍候", "Too many questions at once", _RETRY),
    "own_log_unavailable": _auditing(
        "gateway",
        503,
        "查询日志不可写，未提供任何结果",
        "The log of questions cannot be written; nothing is shown",
        _HOST,
    ),
    "index_unavailable": _auditing(
        "gateway", 503, "索引或日志副本不可用", "The index, or a copy of a log, cannot be read", _HOST
    ),
    "copy_altered": _auditing("gateway", 500, "日志副本被改动", "The copy of the log was altered", _KEEP_COPY),
    "audit_internal": _auditing("gateway", 500, "审计服务内部错误", "The auditor's server failed", _HOST),
}
