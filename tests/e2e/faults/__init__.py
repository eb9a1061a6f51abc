"""A city under load on a real Kafka, things that break, and a checker that believes nobody.

- `layout`      how the installation lies on disk: keys, registry, configurations
- `sources`     the departments' own tables: the truth that everything is compared with
- `supervisor`  processes that are started again when they end, as an init system would
- `load`        approval systems that ask all the time, and what they were told
- `city`        all of it together, with the handles for faults: kill, hold, freeze, wait, settle
- `scenarios`   the table of faults; `disk_full` and `clock` hold some of them, `matrix` plays a row
- `opening`     envelopes and SD-JWTs opened from the RFCs, `ledger` the audit log from the tlog-tiles rules,
  `evidence` what was found where (topic, outbox, store, answers, log); none of them uses the product's reading code
- `checker`     compares, and says what is lost, duplicated, reordered, unaudited, unverified
- `rebuild`     compaction forced, a second store from scratch, row by row against the first
"""
