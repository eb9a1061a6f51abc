package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"oncegate-interop/audit/c2sp"

	"golang.org/x/mod/sumdb/tlog"
)

const bundlesAtOnce = width // one tile of level 1

// log is a log at one verified head. Everything that hashes reads is authenticated against that head.
type log struct {
	keys    c2sp.Keys
	head    c2sp.Head
	entries source
	hashes  tlog.HashReader
}

func openLog(keys c2sp.Keys, files, entries source) (*log, error) {
	signed, err := files("checkpoint")
	if err != nil {
		return nil, err
	}
	head, err := keys.Open(signed)
	if err != nil {
		return nil, err
	}
	hashes := tlog.TileHashReader(head.Tree, &tiles{files, map[tlog.Tile][]byte{}})
	return &log{keys, head, entries, hashes}, nil
}

// check reads every tile and every entry: the tiles lead to the signed root, the entries are those of the tiles.
func (l *log) check() error {
	bundles := (l.head.Tree.N + width - 1) / width
	for first := int64(0); first < bundles; first += bundlesAtOnce {
		count := bundles - first
		if count > bundlesAtOnce {
			count = bundlesAtOnce
		}
		if err := l.checkBundles(first, count); err != nil {
			return err
		}
	}
	return nil
}

func (l *log) checkBundles(first, count int64) error {
	end := (first + count) * width
	if end > l.head.Tree.N {
		end = l.head.Tree.N
	}
	leaves, err := l.leaves(first*width, end)
	if err != nil {
		return err
	}
	return each(int(count), func(i int) error {
		from, to := i*width, (i+1)*width
		if to > len(leaves) {
			to = len(leaves)
		}
		return l.checkBundle(first+int64(i), leaves[from:to])
	})
}

func (l *log) leaves(from, to int64) ([]tlog.Hash, error) {
	indexes := make([]int64, 0, to-from)
	for index := from; index < to; index++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, index))
	}
	return l.hashes.ReadHashes(indexes)
}

func (l *log) checkBundle(number int64, leaves []tlog.Hash) error {
	tile := tlog.Tile{H: height, L: bundle, N: number, W: len(leaves)}
	data, whole, err := l.entries.tile(tile)
	if err != nil {
		return err
	}
	for i, leaf := range leaves {
		entry, rest, err := nextEntry(data)
		if err != nil {
			return fmt.Errorf("%s: entry %d: %w", path(tile), i, err)
		}
		if tlog.RecordHash(entry) != leaf {
			return fmt.Errorf("%s: entry %d is not the one in the tree", path(tile), i)
		}
		data = rest
	}
	if len(data) > 0 && !(whole && len(leaves) < width) { // a full one in place of a partial one has more
		return fmt.Errorf("%s: %d bytes too many", path(tile), len(data))
	}
	return nil
}

func nextEntry(data []byte) (entry, rest []byte, err error) {
	if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
		return nil, nil, errors.New("the bundle ends within it")
	}
	end := 2 + int(binary.BigEndian.Uint16(data))
	return data[2:end], data[end:], nil
}

// checkGrown holds the log against a head that was kept from earlier.
func (l *log) checkGrown(file string) error {
	old, err := openHead(l.keys, file)
	if err != nil {
		return err
	}
	if old.Tree.N > l.head.Tree.N {
		return fmt.Errorf("the log has %d entries, but had %d: truncated or rolled back", l.head.Tree.N, old.Tree.N)
	}
	if old.Tree.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(l.head.Tree.N, old.Tree.N, l.hashes)
	if err != nil {
		return err
	}
	return checkGrowth(proof, old.Tree, l.head.Tree)
}

func checkGrowth(proof tlog.TreeProof, old, new tlog.Tree) error {
	if old.N < 1 || old.N > new.N {
		return fmt.Errorf("no log grows from %d entries to %d", old.N, new.N)
	}
	if err := tlog.CheckTree(proof, new.N, new.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("the later head does not continue the earlier one: rewritten (%w)", err)
	}
	return nil
}

func openHead(keys c2sp.Keys, file string) (c2sp.Head, error) {
	signed, err := os.ReadFile(file)
	if err != nil {
		return c2sp.Head{}, err
	}
	return keys.Open(signed)
}
