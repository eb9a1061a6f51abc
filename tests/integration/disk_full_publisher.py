"""An adapter whose disk fills between the writing to the log and the mark, as a process of its own: the disk fills,
stays full for another run, is freed before a third. Arguments: the department's directory, the root of its disk, and
whether that is mounted. Prints state and error of each run as JSON."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters.config import load
from adapters.outbox import Outbox
from adapters.run import Effects, run_stream
from contracts.edge.transport import Headers, Writer
from tests.integration.test_adapter_crash import Entries, Faulty
from tests.small_disk import SmallDisk


def main(disk: SmallDisk) -> None:
    """The three runs."""
    config = load(Path("adapter.toml"))

    def fills(writer: Writer, topic: str, entries: Entries, headers: Headers) -> Sequence[int]:
        disk.fill()
        return writer.write_many(topic, entries, headers)

    with (
        Outbox(config.outbox, config.organisation, config.adapter) as outbox,
        Faulty(config.transport.writer(), [fills]) as writer,
    ):
        effects = Effects(outbox, writer, patience_s=0)
        reports = [run_stream(config, config.streams[0], effects) for _ in range(2)]
        disk.free()
        reports.append(run_stream(config, config.streams[0], effects))
    print(json.dumps([[report.state, str(report.error or "")] for report in reports]))


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main(SmallDisk(Path(sys.argv[2]), {}, sys.argv[3] == "True"))
