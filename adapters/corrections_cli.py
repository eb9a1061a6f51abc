"""`oncegate-adapter corrections` and `answer-correction`: what clerks say is wrong, and that it is right after all."""

from collections.abc import Callable
from typing import Annotated

import typer

from adapters.officer_cli import DEFAULT_CONFIG, AsJson, Config, Reason


def add_to(app: typer.Typer, guarded: Callable[[Callable[[], int]], int]) -> None:
    """Add the commands. `guarded` runs one and gives damaged data its exit code."""

    @app.command("corrections")
    def corrections_command(
        config: Config = DEFAULT_CONFIG,
        everything: Annotated[bool, typer.Option("--all", help="Also those that are answered. 含已答复的。")] = False,
        json: AsJson = False,
    ) -> int:
        """What clerks say is wrong with our data. 查看纠错申请。"""
        from adapters.correction_desk import show

        return guarded(lambda: show(config, everything, json))

    @app.command("answer-correction")
    def answer_command(
        request: Annotated[str, typer.Argument(metavar="ID", help="The request. 申请号。")],
        reason: Reason,
        config: Config = DEFAULT_CONFIG,
        json: AsJson = False,
    ) -> int:
        """Say that the data is right; to correct it, publish it. 答复:数据无误。"""
        from adapters.correction_desk import answer

        return guarded(lambda: answer(config, request, reason, json))
