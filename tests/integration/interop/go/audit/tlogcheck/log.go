package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"oncegate-interop/audit/c2sp"

	"golang.org/x/mod/sumdb/tlog"
)

const bundlesAtOnce = 256

// log is a log at one verified head. What hashes gives is not believed: TileHashReader of x/mod before v0.40.0 (which
// wants Go 1.25) leaves some tiles unauthenticated. So each proof is checked against the head once more, and check
// derives every tile anew from the entries.
type log struct {
	keys    c2sp.Keys
	head    c2sp.Head
	files   source
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
	hashes := tlog.TileHashReader(head.Tree, tiles{files})
	return &log{keys, head, files, entries, hashes}, nil
}

// derived is the tree over the entries that were read, as sumdb stores it: 64 bytes of memory an entry.
type derived []tlog.Hash

func (d derived) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = d[index]
	}
	return hashes, nil
}

// check reads every entry and every tile: the entries lead to the signed root, and the tiles are theirs.
func (l *log) check() error {
	tree, err := l.derive()
	if err != nil {
		return err
	}
	wanted := tlog.NewTiles(height, 0, l.head.Tree.N)
	err = each(len(wanted), func(i int) error { return l.compare(wanted[i], tree) })
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(l.head.Tree.N, tree)
	if err == nil && root != l.head.Tree.Hash {
		err = errors.New("the entries do not lead to the root of the checkpoint")
	}
	return err
}

func (l *log) derive() (derived, error) {
	tree := make(derived, 0, tlog.StoredHashCount(l.head.Tree.N))
	bundles := (l.head.Tree.N + width - 1) / width
	for first := int64(0); first < bundles; first += bundlesAtOnce {
		count := bundles - first
		if count > bundlesAtOnce {
			count = bundlesAtOnce
		}
		leaves := make([][]tlog.Hash, count)
		err := each(int(count), func(i int) (err error) {
			leaves[i], err = l.leaves(first + int64(i))
			return err
		})
		if err != nil {
			return nil, err
		}
		for i := range leaves {
			if tree, err = tree.with((first+int64(i))*width, leaves[i]); err != nil {
				return nil, err
			}
		}
	}
	return tree, nil
}

func (d derived) with(first int64, leaves []tlog.Hash) (derived, error) {
	for i, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(first+int64(i), leaf, d)
		if err != nil {
			return nil, err
		}
		d = append(d, hashes...)
	}
	return d, nil
}

// leaves reads an entry bundle and hashes its entries.
func (l *log) leaves(number int64) ([]tlog.Hash, error) {
	tile := tlog.Tile{H: height, L: bundle, N: number, W: width}
	if left := l.head.Tree.N - number*width; left < width {
		tile.W = int(left)
	}
	data, whole, err := l.entries.tile(tile)
	if err != nil {
		return nil, err
	}
	leaves := make([]tlog.Hash, tile.W)
	for i := range leaves {
		entry, rest, err := nextEntry(data)
		if err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", path(tile), i, err)
		}
		leaves[i], data = tlog.RecordHash(entry), rest
	}
	if len(data) > 0 && !(whole && tile.W < width) { // a full one in place of a partial one has more
		return nil, fmt.Errorf("%s: %d bytes too many", path(tile), len(data))
	}
	return leaves, nil
}

// compare holds a hash tile against what the entries give.
func (l *log) compare(tile tlog.Tile, tree derived) error {
	stored, err := tiles{l.files}.readTile(tile)
	if err != nil {
		return err
	}
	wanted, err := tlog.ReadTileData(tile, tree)
	if err == nil && !bytes.Equal(stored, wanted) {
		err = fmt.Errorf("%s: tile and entries disagree", path(tile))
	}
	return err
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
	_, err = l.extension(old.Tree)
	return err
}

// extension is the proof, checked, that the log continues an older tree.
func (l *log) extension(old tlog.Tree) (tlog.TreeProof, error) {
	if old.N < 1 || old.N > l.head.Tree.N {
		return nil, fmt.Errorf("no log grows from %d entries to %d", old.N, l.head.Tree.N)
	}
	proof, err := tlog.ProveTree(l.head.Tree.N, old.N, l.hashes)
	if err != nil {
		return nil, err
	}
	return proof, checkGrowth(proof, old, l.head.Tree)
}

// inclusion is the proof, checked, that the tree has the leaf that its tiles name.
func (l *log) inclusion(index int64) (tlog.RecordProof, error) {
	proof, err := tlog.ProveRecord(l.head.Tree.N, index, l.hashes)
	if err != nil {
		return nil, err
	}
	leaf, err := l.hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return nil, err
	}
	return proof, tlog.CheckRecord(proof, l.head.Tree.N, l.head.Tree.Hash, index, leaf[0])
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
