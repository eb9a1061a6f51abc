// Command notesign makes test vectors: notes signed by somebody else's code. Test keys only.
//
//	notesign log NAME SEED < TEXT           the note of a text, signed as a log does
//	notesign witness NAME SEED TIME < NOTE  the note with a cosignature of this time (seconds since 1970) added
//
// SEED is the Ed25519 private key (RFC 8032) in hex. The key's written form goes to standard error.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"oncegate-interop/audit/c2sp"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "notesign:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	seed, err := hex.DecodeString(arguments[2])
	if err != nil {
		return err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	name, key := arguments[1], ed25519.NewKeyFromSeed(seed)
	if arguments[0] == "log" {
		return byLog(name, key, string(input))
	}
	time, err := strconv.ParseUint(arguments[3], 10, 64)
	if err != nil {
		return err
	}
	return byWitness(c2sp.NewCosignatureSigner(name, key, time), input)
}

func byLog(name string, key ed25519.PrivateKey, text string) error {
	vkey, err := note.NewEd25519VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	private := append([]byte{1}, key.Seed()...)
	hash := strings.SplitN(vkey, "+", 3)[1]
	signer, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(private))
	if err != nil {
		return err
	}
	return write(&note.Note{Text: text}, vkey, signer)
}

func byWitness(witness *c2sp.CosignatureSigner, signed []byte) error {
	opened, err := note.Open(signed, note.VerifierList())
	unverified, expected := err.(*note.UnverifiedNoteError) // whose signatures these are is not this program's business
	if !expected {
		return fmt.Errorf("not a note: %v, %v", opened, err)
	}
	return write(unverified.Note, witness.VKey(), witness)
}

func write(signed *note.Note, vkey string, signer note.Signer) error {
	text, err := note.Sign(signed, signer)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, vkey)
	_, err = os.Stdout.Write(text)
	return err
}
