"""What kafka-python and a broker say, in our words. One table; nothing of theirs crosses this edge.

1. What may pass by itself (a leader moves, a broker restarts, too few replicas) is tried again until the patience of
   the call is over; then it is `LogUnavailable`.
2. What somebody must mend (credentials, permissions, settings) is a `UserError`, at once.
3. What is neither is `LogUnavailable` too: unknown means that nothing is promised.
"""

import ssl
from collections.abc import Callable, Mapping

from kafka import errors

from contracts.edge.transport.interface import LogUnavailable
from contracts.errors import Fault, UserError
from contracts.text import Text

_CHECK_LOGIN = Text(
    "请核对 security、sasl_mechanism、用户名与口令或令牌。",
    "Check security, sasl_mechanism, user name and password or token.",
)
_CHECK_CA = Text(
    "请核对 ca_file,以及 bootstrap 中的主机名是否在证书内。",
    "Check ca_file, and that the certificate names the hosts in bootstrap.",
)
_ASK_RIGHTS = Text(
    "请集群管理员授权;所需命令见 oncegate topics plan。",
    "Ask the cluster's administrator for it; oncegate topics plan prints the commands.",
)
_ASK_CLUSTER = Text("请与集群管理员核对。", "Check with the cluster's administrator.")
_UPGRADE = Text(
    "需要 Apache Kafka 3.1 或更高版本。",
    "Apache Kafka 3.1 or newer is needed.",
)


def _user_error(zh: str, en: str, remedy: Text) -> Callable[[str, str], Exception]:
    return lambda where, why: UserError(Text(f"{zh}:{why}", f"{en}: {why}"), where, remedy)


def _too_large(where: str, _: str) -> Exception:
    return Fault("log_record_too_large", detail=f"the broker refused it for {where}")


_UNTRUSTED = _user_error("不信任 Kafka 的证书", "The certificate of Kafka is not trusted", _CHECK_CA)
_TABLE: Mapping[type[errors.KafkaError], Callable[[str, str], Exception]] = {
    errors.SaslAuthenticationFailedError: _user_error("Kafka 登录失败", "Kafka refuses the login", _CHECK_LOGIN),
    errors.UnsupportedSaslMechanismError: _user_error(
        "Kafka 不支持该登录方式", "Kafka does not offer this login mechanism", _CHECK_LOGIN
    ),
    errors.IllegalSaslStateError: _user_error("Kafka 登录失败", "Kafka refuses the login", _CHECK_LOGIN),
    errors.AuthorizationError: _user_error("Kafka 未授权", "Kafka does not permit it", _ASK_RIGHTS),
    errors.PolicyViolationError: _user_error("集群策略不允许", "The cluster's policy forbids it", _ASK_CLUSTER),
    errors.InvalidConfigurationError: _user_error(
        "集群不接受主题设置", "The cluster refuses the topic's settings", _ASK_CLUSTER
    ),
    errors.InvalidReplicationFactorError: _user_error(
        "集群无法满足副本数", "The cluster cannot hold that many replicas", _ASK_CLUSTER
    ),
    errors.UnsupportedVersionError: _user_error("Kafka 版本过旧", "This Kafka is too old", _UPGRADE),
    errors.UnsupportedCodecError: _user_error(
        "主题的压缩方式不受支持", "The topic is compressed in a way that is not supported", _ASK_CLUSTER
    ),
    errors.MessageSizeTooLargeError: _too_large,
    errors.RecordListTooLargeError: _too_large,
}

_PASSING = (
    errors.RetriableError,
    errors.UnknownBrokerIdError,
    errors.BrokerNotAvailableError,
    errors.Cancelled,
    OSError,
)


def code_error(code: int) -> errors.KafkaError | None:
    """The error that a broker's code stands for; None for 0."""
    return errors.for_code(code)() if code else None


def passes_by_itself(error: BaseException) -> bool:
    """Whether trying again may help (rule 1)."""
    return isinstance(error, _PASSING) and not _distrusts(error)


def translated(error: BaseException, where: str = "") -> Exception:
    """Our error for one of theirs. `where` is the topic or the cluster that it is about."""
    if isinstance(error, UserError):
        return error
    if _distrusts(error):
        return _UNTRUSTED(where, _reason(error))
    for kind in type(error).__mro__:
        if kind in _TABLE:
            return _TABLE[kind](where, _reason(error))
    return LogUnavailable(f"Kafka {where}: {_reason(error)}".replace("  ", " "))


def _distrusts(error: BaseException) -> bool:
    """Whether this is a broker's certificate that was not accepted."""
    return isinstance(error.__cause__, ssl.SSLCertVerificationError)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
