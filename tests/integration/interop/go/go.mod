// What the tests take from Go: data and programs of others, to hold ours against. Hashes in go.sum.
module oncegate-interop

go 1.19

require github.com/google/jsonschema-go v0.4.3
