"""`oncegate-audit serve`: the HTTP API of the auditor role."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import UserError
from contracts.text import Text

_NO_LIBRARY = Text("缺少程序库 {name}", "The library {name} is missing")
_INSTALL = Text("请安装 oncegate[audit]。", "Install oncegate[audit].")


def add(app: typer.Typer) -> None:
    """Put the command of this room into the program."""
    app.command("serve")(serve_command)


def serve_command(
    config: Annotated[Path, typer.Option(help="The configuration of the API (TOML). 配置文件。")],
    keys_from_stdin: Annotated[
        bool,
        typer.Option(
            "--keys-from-stdin", help="Read the auditors' private keys (PEM) from stdin. 由标准输入读取私钥。"
        ),
    ] = False,
) -> None:
    """Answer auditors over HTTPS, each by their certificate, until stopped. 运行审计员接口服务。"""
    try:
        from audit.api.serve import run
    except ModuleNotFoundError as error:
        raise UserError(_NO_LIBRARY.fill(name=error.name), "oncegate[audit]", _INSTALL) from None
    raise typer.Exit(run(config, keys_from_stdin))
