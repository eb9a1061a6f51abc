"""What the three console programs show, and how they end.

1. A mistake ends in ONE line on stderr (what, where, remedy) in the reader's language, and exit code 2. No traceback.
   A mistake on the command line itself likewise. Damaged own data is 3; 4 is something that will do later, a message
   log that is away or a full disk: whoever starts programs again may do so. Ctrl-C is 130.
2. Results go to stdout, everything else to stderr. A closed pipe ends the program quietly. Sentences have nothing in
   them that a terminal would obey, whoever wrote the values in them.
3. Progress shows on a terminal only.

An exception that is none of these is a fault of the program and keeps its traceback.
`--help` must be quick: rich is imported only for a bar, and command lines import their rooms inside the commands.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import orjson
from typer import Typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException
from typer.main import get_command

from contracts.edge import system_errors
from contracts.edge.i18n import language
from contracts.edge.usage import translated
from contracts.encoding import Json
from contracts.errors import Corrupt, Fault, Unavailable, UserError
from contracts.text import Text, harmless

EXIT_MISTAKE = 2
EXIT_CORRUPT = 3
EXIT_AWAY = 4
EXIT_INTERRUPTED = 130
EXIT_PIPE = 1  # as typer has it

_USAGE = Text("命令行有误:{why}", "{why}")
_HELP = Text("用法见 {command} --help", "See {command} --help")
_CORRUPT = Text("存储的数据已损坏:{why}", "Stored data is damaged: {why}")
_RESTORE = Text("请勿继续使用该目录,请联系管理员恢复。", "Stop using that directory and restore it.")
_AWAY = Text("暂时不可用:{why}", "Not available now: {why}")
_RETRY = Text("请检查该服务或文件后重试。", "Check that it is there and running, then try again.")
Mistake = UserError | Fault | Corrupt | Unavailable | OSError


class _Commands(TyperGroup):
    """Lists its commands with their whole first paragraph, in both languages, where the library would cut it short."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, _first_paragraph(command.help)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def command_line(name: str, about: str) -> Typer:
    """An empty command line `name`: all console programs, and their groups of commands, look and behave alike."""
    return Typer(
        name=name,
        help=about,
        cls=_Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def run(app: Typer, args: Sequence[str] | None = None) -> NoReturn:
    """Execute a typer application and end the process by the rules above: the body of a console script's `main`."""
    sys.exit(execute(app, args))


def execute(app: Typer, args: Sequence[str] | None = None) -> int:
    """As `run`, but return the exit code. `args` are those of the process unless given."""
    try:
        code = _invoke(app, args)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (UserError, Fault, Corrupt, Unavailable, OSError) as error:
        if isinstance(error, OSError) and not system_errors.is_circumstance(error):
            raise
        complain(error)
        return _exit_code(error)
    return code


def _exit_code(error: Mistake) -> int:
    if isinstance(error, Unavailable) or is_full_disk(error):
        return EXIT_AWAY
    return EXIT_CORRUPT if isinstance(error, Corrupt) else EXIT_MISTAKE


def is_full_disk(error: BaseException) -> bool:
    """Whether a full disk is behind it: more room is all that it takes."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and system_errors.no_room(cause)


def _invoke(app: Typer, args: Sequence[str] | None) -> int:
    try:
        name = app.info.name if isinstance(app.info.name, str) else None
        result = get_command(app).main(None if args is None else list(args), name, standalone_mode=False)
    except TyperException as error:
        _complain_usage(error)
        return EXIT_MISTAKE
    except Abort:
        return EXIT_INTERRUPTED
    return result if type(result) is int else 0


def _complain_usage(error: Exception) -> None:
    message = str(getattr(error, "format_message", error.__str__)())
    if "\n" in message:  # no command given: the message is the whole help
        print(message, file=sys.stderr)
        return
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "oncegate"
    _print_error(_USAGE.fill(why=translated(message)), "", _HELP.fill(command=command))


def complain(error: Mistake) -> None:
    """One line on stderr about `error`."""
    _print_error(*explained(error))


def explained(error: Mistake) -> tuple[Text, str, Text | None]:
    """What is wrong, where, and what to do about it."""
    if isinstance(error, UserError):
        return error.what, error.where, error.remedy
    if isinstance(error, Fault):
        where = " ".join(part for part in (error.code, error.pointer, error.detail) if part)
        return error.row.title, where, error.row.next_step
    if isinstance(error, Corrupt):
        return _CORRUPT.fill(why=error), "", _RESTORE
    if isinstance(error, Unavailable):
        return _AWAY.fill(why=error), "", _RETRY
    where = "" if error.filename is None else os.fsdecode(error.filename)
    return system_errors.why(error), where, system_errors.remedy(error)


def error_line(what: Text, where: str, remedy: Text | None, lang: str) -> str:
    """`what (where). remedy`, in one line whatever the parts contain."""
    stop = Text("。", ". ").pick(lang)
    facts = what.pick(lang).rstrip(".。") + (f" ({where})" if where else "")
    return " ".join((facts + stop + (remedy.pick(lang) if remedy else "")).split())


def _print_error(what: Text, where: str, remedy: Text | None) -> None:
    lang = language()
    label = Text("错误:", "Error:").pick(lang)
    print(label, harmless(error_line(what, where, remedy, lang)), file=sys.stderr)


def _silence_stdout() -> None:
    # The interpreter flushes stdout once more at exit; give it somewhere to write.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: Text) -> None:
    """A sentence on stdout, in the reader's language."""
    print(harmless(text.pick(language())), flush=True)


def warn(text: Text) -> None:
    """A sentence on stderr, in the reader's language."""
    print(harmless(text.pick(language())), file=sys.stderr, flush=True)


def emit_json(value: Json) -> None:
    """One JSON value on stdout: indented for a terminal, one line for a program."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0)
    sys.stdout.write(orjson.dumps(value, option=option).decode())
    sys.stdout.flush()


@contextmanager
def progress(label: Text, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr if that is a terminal, else nothing. Yields `advance(by)`; `total` None = unknown."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    rich_progress = import_module("rich.progress")
    console = import_module("rich.console").Console(stderr=True)
    with rich_progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task(label.pick(language()), total=total)
        yield lambda by: bar.advance(task, by)
