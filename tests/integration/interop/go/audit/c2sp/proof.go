package c2sp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const firstLine = "c2sp.org/tlog-proof@v1"

// Proof is an inclusion proof as text (https://c2sp.org/tlog-proof), not yet verified. Its extra data is ignored.
type Proof struct {
	Index  int64
	Hashes tlog.RecordProof
	Note   []byte
}

// ParseProof reads the text.
func ParseProof(text []byte) (Proof, error) {
	head, signed, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || lines[0] != firstLine {
		return Proof{}, errors.New("proof: not a " + firstLine)
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return Proof{}, errors.New("proof: no index")
	}
	index, err := parseDecimal(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return Proof{}, fmt.Errorf("proof: index: %w", err)
	}
	hashes, err := ParseHashes(lines[1:])
	return Proof{index, hashes, signed}, err
}

// ParseHashes reads hashes in base64, one a line.
func ParseHashes(lines []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, 0, len(lines))
	for _, line := range lines {
		hash, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// Text is the written form.
func (proof Proof) Text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\nindex %d\n", firstLine, proof.Index)
	for _, hash := range proof.Hashes {
		fmt.Fprintln(&text, hash)
	}
	text.WriteByte('\n')
	text.Write(proof.Note)
	return text.String()
}

// Check verifies that record is in the log under the head that the proof carries.
func (proof Proof) Check(keys Keys, record []byte) (Head, error) {
	head, err := keys.Open(proof.Note)
	if err != nil {
		return Head{}, err
	}
	if proof.Index >= head.Tree.N {
		return Head{}, errors.New("proof: of an entry behind the head")
	}
	err = tlog.CheckRecord(proof.Hashes, head.Tree.N, head.Tree.Hash, proof.Index, tlog.RecordHash(record))
	if err != nil {
		return Head{}, fmt.Errorf("proof: %w", err)
	}
	return head, nil
}
