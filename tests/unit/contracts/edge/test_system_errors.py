"""What the operating system says, for people."""

import errno

import pytest

from contracts.edge.system_errors import is_circumstance, remedy, why
from contracts.text import Text


@pytest.mark.parametrize(
    ("error", "words", "circumstance"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Text("磁盘已满", "The disk is full"), True),
        (OSError(errno.EADDRINUSE, "x"), Text("端口已被占用", "The port is in use"), True),
        (OSError(errno.EXDEV, "Cross-device link", "/a"), Text("Cross-device link", "Cross-device link"), True),
        (OSError(errno.EBADF, "Bad file descriptor"), Text("Bad file descriptor", "Bad file descriptor"), False),
        (OSError("no number at all"), Text("no number at all", "no number at all"), False),
    ],
)
def test_an_error_of_the_system(error: OSError, words: Text, circumstance: bool) -> None:
    assert why(error) == words
    assert is_circumstance(error) is circumstance
    assert remedy(error).zh
    assert remedy(error).en
