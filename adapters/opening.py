"""What a command of `oncegate-adapter` works with: the outbox to look at, or outbox and log to work on."""

from contextlib import ExitStack

from adapters.config import AdapterConfig
from adapters.outbox import Lock, Outbox
from adapters.run import Effects


def look(config: AdapterConfig) -> Outbox:
    """The outbox as it is; an empty one in memory if there is none yet."""
    path = config.outbox if config.outbox.exists() else None
    return Outbox(path, config.organisation, config.adapter)


def effects(config: AdapterConfig, stack: ExitStack) -> Effects:
    """The outbox, locked, and the log, until `stack` ends; raises `LockHeld`."""
    config.outbox.parent.mkdir(parents=True, exist_ok=True)
    stack.enter_context(Lock(config.outbox))
    outbox = stack.enter_context(Outbox(config.outbox, config.organisation, config.adapter))
    if config.create_topics:
        with config.transport.admin() as admin:
            for stream in config.streams:
                admin.create_topic(stream.stream.topic)
    writer = stack.enter_context(config.transport.writer())
    return Effects(outbox, writer)
