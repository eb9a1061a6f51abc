"""What the operating system says, in both languages, and how to mend it: one row for each errno that people meet.

1. `why` and `remedy` take the OSError; an errno without a row keeps the system's own words.
2. `is_circumstance`: the error comes from the machine (a path, a permission, a full disk, a busy port), not from a
   fault of this program, so that a person can mend it.
3. `no_room`: the disk is full. What waits for space goes on by itself; nobody has to start it again.
"""

import errno
from collections.abc import Mapping

from contracts.text import Text

_CHECK_PATH = Text("请核对路径。", "Check the path.")
_CHECK_PERMISSIONS = Text("请核对权限。", "Check the permissions.")
_FREE_SPACE = Text("请清理磁盘空间后重试。", "Free some disk space and try again.")
_CLOSE_FILES = Text("请提高打开文件数上限(ulimit -n)。", "Raise the limit of open files (ulimit -n).")

_ROWS: Mapping[int, tuple[Text, Text]] = {
    errno.ENOENT: (Text("不存在", "No such file or directory"), _CHECK_PATH),
    errno.EEXIST: (Text("已存在", "It exists already"), _CHECK_PATH),
    errno.EISDIR: (Text("这是目录,不是文件", "It is a directory, not a file"), _CHECK_PATH),
    errno.ENOTDIR: (Text("路径中有一部分不是目录", "A part of the path is not a directory"), _CHECK_PATH),
    errno.ENOTEMPTY: (Text("目录非空", "The directory is not empty"), _CHECK_PATH),
    errno.ELOOP: (Text("符号链接循环", "The symbolic links form a loop"), _CHECK_PATH),
    errno.ENAMETOOLONG: (Text("路径过长", "The path is too long"), _CHECK_PATH),
    errno.EACCES: (Text("没有权限", "Permission denied"), _CHECK_PERMISSIONS),
    errno.EPERM: (Text("操作不被允许", "Operation not permitted"), _CHECK_PERMISSIONS),
    errno.EROFS: (Text("文件系统只读", "The file system is read-only"), _CHECK_PERMISSIONS),
    errno.ENOSPC: (Text("磁盘已满", "The disk is full"), _FREE_SPACE),
    errno.EDQUOT: (Text("超出磁盘配额", "The disk quota is used up"), _FREE_SPACE),
    errno.EIO: (Text("磁盘读写错误", "The disk cannot be read or written"), Text("请检查磁盘。", "Check the disk.")),
    errno.EMFILE: (Text("打开的文件过多", "Too many open files"), _CLOSE_FILES),
    errno.ENFILE: (Text("打开的文件过多", "Too many open files"), _CLOSE_FILES),
    errno.EADDRINUSE: (
        Text("端口已被占用", "The port is in use"),
        Text("请停止占用它的进程,或改用其他端口。", "Stop the process that has it, or choose another port."),
    ),
    errno.EADDRNOTAVAIL: (
        Text("本机没有该地址", "This machine does not have that address"),
        Text("请核对主机地址。", "Check the host."),
    ),
}
NO_REMEDY = Text("请据此检查系统。", "Check the system for that.")


def why(error: OSError) -> Text:
    """What happened (rule 1)."""
    row = _ROWS.get(error.errno or 0)
    words = error.strerror or str(error)
    return Text(words, words) if row is None else row[0]


def remedy(error: OSError) -> Text:
    """What to do about it."""
    row = _ROWS.get(error.errno or 0)
    return NO_REMEDY if row is None else row[1]


def no_room(error: OSError) -> bool:
    """Rule 3."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_circumstance(error: OSError) -> bool:
    """Rule 2."""
    return error.filename is not None or error.errno in _ROWS
