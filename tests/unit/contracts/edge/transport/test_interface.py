import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.edge.transport.interface import MAX_RECORD_BYTES, TopicNameInvalid, check_sizes, full_name
from contracts.edge.transport.topic_file import pack_headers, unpack_headers
from contracts.errors import Fault


@pytest.mark.parametrize(
    ("prefix", "topic"), [("", "registry"), ("a.", "evidence.cn.x.y-1"), ("", "x" * 249), ("", "_")]
)
def test_names_of_every_log_pass(prefix: str, topic: str) -> None:
    assert full_name(prefix, topic) == prefix + topic


@pytest.mark.parametrize(
    ("prefix", "topic"),
    [("", ""), ("a.", ""), ("", "."), (".", "."), ("", "a/b"), ("a b", "c"), ("", "é"), ("", "a\n"), ("a", "x" * 249)],
)
def test_other_names_are_refused(prefix: str, topic: str) -> None:
    with pytest.raises(TopicNameInvalid):
        full_name(prefix, topic)


def test_key_and_value_count_together() -> None:
    check_sizes([(b"kk", b"x" * (MAX_RECORD_BYTES - 2))])
    with pytest.raises(Fault):
        check_sizes([(b"kkk", b"x" * (MAX_RECORD_BYTES - 2))])


@given(st.lists(st.tuples(st.text(min_size=1), st.binary())))
def test_headers_come_back(headers: list[tuple[str, bytes]]) -> None:
    packed = pack_headers(tuple(headers))
    assert (unpack_headers(packed) if packed else ()) == tuple(headers)
