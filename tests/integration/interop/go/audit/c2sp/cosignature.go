package c2sp

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Timestamped Ed25519 cosignatures (https://c2sp.org/tlog-cosignature).
const cosignatureType = 0x04

// CosignatureVerifier is a witness's public key; a note.Verifier.
type CosignatureVerifier struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// CosignatureSigner is a witness that signs with one time for ever: a note.Signer for test vectors.
type CosignatureSigner struct {
	CosignatureVerifier
	Key  ed25519.PrivateKey
	Time uint64 // seconds since 1970
}

// NewCosignatureVerifier reads a vkey of signature type 0x04.
func NewCosignatureVerifier(vkey string) (*CosignatureVerifier, error) {
	parts := strings.SplitN(vkey, "+", 3) // base64 may have a plus of its own
	if len(parts) != 3 {
		return nil, errors.New("not NAME+HASH+KEY")
	}
	material, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(material) != 1+ed25519.PublicKeySize || material[0] != cosignatureType {
		return nil, errors.New("not an Ed25519 key for cosignatures")
	}
	verifier := cosignatureVerifier(parts[0], material[1:])
	if fmt.Sprintf("%08x", verifier.hash) != parts[1] {
		return nil, errors.New("the hash is not that of name and key")
	}
	return &verifier, nil
}

// NewCosignatureSigner is the witness with this name and private key.
func NewCosignatureSigner(name string, key ed25519.PrivateKey, time uint64) *CosignatureSigner {
	return &CosignatureSigner{cosignatureVerifier(name, key.Public().(ed25519.PublicKey)), key, time}
}

func cosignatureVerifier(name string, key ed25519.PublicKey) CosignatureVerifier {
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), key...))
	return CosignatureVerifier{name, binary.BigEndian.Uint32(sum[:]), key}
}

// Name is the key's name.
func (v *CosignatureVerifier) Name() string { return v.name }

// KeyHash is the key's id.
func (v *CosignatureVerifier) KeyHash() uint32 { return v.hash }

// VKey is the written form.
func (v *CosignatureVerifier) VKey() string {
	material := append([]byte{cosignatureType}, v.key...)
	return fmt.Sprintf("%s+%08x+%s", v.name, v.hash, base64.StdEncoding.EncodeToString(material))
}

// Verify says whether signature is a timestamped one over the note's text.
func (v *CosignatureVerifier) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	return time <= math.MaxInt64 && ed25519.Verify(v.key, cosigned(time, text), signature[8:])
}

// Sign is the timestamped signature over the note's text.
func (s *CosignatureSigner) Sign(text []byte) ([]byte, error) {
	signature := make([]byte, 8)
	binary.BigEndian.PutUint64(signature, s.Time)
	return append(signature, ed25519.Sign(s.Key, cosigned(s.Time, text))...), nil
}

func cosigned(time uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(time, 10)+"\n"), text...)
}
