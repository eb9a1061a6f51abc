// Programs that check our audit log with other people's code; a module of its own, so that the oldest Go that we
// support builds them (Debian 12: 1.19; x/mod after v0.20.0 wants a newer one). Hashes in go.sum.
module oncegate-interop/audit

go 1.19

require golang.org/x/mod v0.20.0
