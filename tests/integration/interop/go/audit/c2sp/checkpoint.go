// Package c2sp reads the few C2SP formats that golang.org/x/mod/sumdb does not know: checkpoints with any origin,
// witness cosignatures and inclusion proofs as text. Hashes, proofs and note signatures are left to sumdb.
package c2sp

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Keys says whose signatures count: the log's, and those of any number of witnesses.
type Keys struct {
	Log       note.Verifier
	Witnesses []note.Verifier
}

// Head is a verified checkpoint. Note is the signed text as it was received.
type Head struct {
	Tree      tlog.Tree
	Witnesses int
	Note      []byte
}

// NewKeys makes keys of their written forms.
func NewKeys(log string, witnesses []string) (Keys, error) {
	verifier, err := note.NewVerifier(log)
	if err != nil {
		return Keys{}, fmt.Errorf("the log's vkey: %w", err)
	}
	keys := Keys{Log: verifier}
	for _, vkey := range witnesses {
		witness, err := NewCosignatureVerifier(vkey)
		if err != nil {
			return Keys{}, fmt.Errorf("a witness's vkey: %w", err)
		}
		keys.Witnesses = append(keys.Witnesses, witness)
	}
	return keys, nil
}

// Open verifies a checkpoint: signed by the log, and of the log whose name the key has.
func (keys Keys) Open(signed []byte) (Head, error) {
	opened, err := note.Open(signed, note.VerifierList(append(keys.Witnesses[:len(keys.Witnesses):len(keys.Witnesses)], keys.Log)...))
	if err != nil {
		return Head{}, fmt.Errorf("checkpoint: %w", err)
	}
	witnesses, byLog := 0, false
	for _, signature := range opened.Sigs {
		if signature.Name == keys.Log.Name() && signature.Hash == keys.Log.KeyHash() {
			byLog = true
		} else {
			witnesses++
		}
	}
	if !byLog {
		return Head{}, errors.New("checkpoint: not signed by the log's key")
	}
	tree, err := parseText(opened.Text, keys.Log.Name())
	return Head{tree, witnesses, signed}, err
}

// parseText reads origin, size and root (https://c2sp.org/tlog-checkpoint).
func parseText(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != origin {
		return tlog.Tree{}, errors.New("checkpoint: not three lines, or of another origin")
	}
	size, err := parseDecimal(lines[1])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: size: %w", err)
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: root: %w", err)
	}
	if size == 0 && root != tlog.Hash(sha256.Sum256(nil)) {
		return tlog.Tree{}, errors.New("checkpoint: an empty log with the root of another")
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

func parseDecimal(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (number < 0 || strconv.FormatInt(number, 10) != text) {
		err = fmt.Errorf("%q is not a decimal number in its only form", text)
	}
	return number, err
}

func parseHash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err == nil && copy(hash[:], data) != len(data) || len(data) != tlog.HashSize {
		err = fmt.Errorf("%q is not a SHA-256 hash in base64", text)
	}
	return hash, err
}
