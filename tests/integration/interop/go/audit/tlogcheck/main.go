// Command tlogcheck checks an audit log, its receipts and its growth with golang.org/x/mod/sumdb only: code that has
// nothing in common with oncegate's.
//
//	tlogcheck log     -vkey VKEY [-entries DIR] [-head FILE] LOG   every tile and entry of a log
//	tlogcheck receipt -vkey VKEY RECORD PROOF ...                  records and their c2sp.org/tlog-proof@v1, in files
//	tlogcheck growth  -vkey VKEY OLD NEW PROOF                     a consistency proof between two checkpoints
//	tlogcheck prove   -vkey VKEY LOG INDEX ...                     the tlog-proof of each entry
//	tlogcheck extend  -vkey VKEY LOG OLD                           the consistency proof from an older checkpoint
//
// LOG is a folder or a URL prefix. It ends with 0 when all is well, 1 when something is not, 2 for a wrong call.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"oncegate-interop/audit/c2sp"
)

type options struct {
	keys    c2sp.Keys
	entries string
	head    string
	trust   trust
}

type command struct {
	run     func(options, []string) error
	allowed func(arguments int) bool
}

var commands = map[string]command{
	"log":     {checkLog, func(n int) bool { return n == 1 }},
	"receipt": {checkReceipts, func(n int) bool { return n >= 2 && n%2 == 0 }},
	"growth":  {growth, func(n int) bool { return n == 3 }},
	"prove":   {prove, func(n int) bool { return n >= 2 }},
	"extend":  {extend, func(n int) bool { return n == 2 }},
}

func main() {
	if len(os.Args) < 2 {
		misused("tell me what to check: log, receipt, growth, prove or extend")
	}
	command, known := commands[os.Args[1]]
	if !known {
		misused("unknown: " + os.Args[1])
	}
	options, arguments := parse(os.Args[1], os.Args[2:])
	if !command.allowed(len(arguments)) {
		misused(os.Args[1] + ": wrong number of arguments")
	}
	if err := command.run(options, arguments); err != nil {
		fmt.Fprintln(os.Stderr, "NOT OK:", err)
		os.Exit(1)
	}
}

func parse(name string, arguments []string) (options, []string) {
	var given options
	var witnesses words
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	vkey := flags.String("vkey", "", "the log's verifier key")
	flags.Var(&witnesses, "witness", "a witness's verifier key; may be repeated")
	flags.StringVar(&given.entries, "entries", "", "folder of the log, where the server gives entries to auditors only")
	flags.StringVar(&given.head, "head", "", "file with a checkpoint that was kept from earlier")
	flags.StringVar(&given.trust.ca, "ca", "", "file with the certificates that TLS servers are trusted by")
	flags.StringVar(&given.trust.certificate, "cert", "", "file with an auditor's own TLS certificate")
	flags.StringVar(&given.trust.key, "key", "", "file with the private key of -cert")
	_ = flags.Parse(arguments) // ends the program by itself
	keys, err := c2sp.NewKeys(*vkey, witnesses)
	if err != nil {
		misused(err.Error())
	}
	given.keys = keys
	return given, flags.Args()
}

type words []string

func (w *words) String() string { return strings.Join(*w, " ") }

func (w *words) Set(word string) error {
	*w = append(*w, word)
	return nil
}

func misused(why string) {
	fmt.Fprintln(os.Stderr, "tlogcheck:", why)
	os.Exit(2)
}

func (o options) open(place string) (*log, error) {
	files, err := newSource(place, o.trust)
	if err != nil {
		return nil, err
	}
	entries := files
	if o.entries != "" {
		if entries, err = newSource(o.entries, o.trust); err != nil {
			return nil, err
		}
	}
	return openLog(o.keys, files, entries)
}

func checkLog(o options, arguments []string) error {
	opened, err := o.open(arguments[0])
	if err != nil {
		return err
	}
	if o.head != "" {
		if err := opened.checkGrown(o.head); err != nil {
			return err
		}
	}
	if err := opened.check(); err != nil {
		return err
	}
	fmt.Printf("OK: %d entries, root %s, %d witnesses\n", opened.head.Tree.N, opened.head.Tree.Hash, opened.head.Witnesses)
	return nil
}

func checkReceipts(o options, files []string) error {
	for at := 0; at < len(files); at += 2 {
		record, err := os.ReadFile(files[at])
		if err != nil {
			return err
		}
		text, err := os.ReadFile(files[at+1])
		if err != nil {
			return err
		}
		proof, err := c2sp.ParseProof(text)
		if err != nil {
			return fmt.Errorf("%s: %w", files[at+1], err)
		}
		head, err := proof.Check(o.keys, record)
		if err != nil {
			return fmt.Errorf("%s: %w", files[at+1], err)
		}
		fmt.Printf("OK: entry %d of %d, %d witnesses\n", proof.Index, head.Tree.N, head.Witnesses)
	}
	return nil
}

func growth(o options, files []string) error {
	old, err := openHead(o.keys, files[0])
	if err != nil {
		return err
	}
	new, err := openHead(o.keys, files[1])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(files[2])
	if err != nil {
		return err
	}
	proof, err := c2sp.ParseHashes(strings.Fields(string(text)))
	if err != nil {
		return err
	}
	if err := checkGrowth(proof, old.Tree, new.Tree); err != nil {
		return err
	}
	fmt.Printf("OK: grown from %d to %d entries\n", old.Tree.N, new.Tree.N)
	return nil
}

func prove(o options, arguments []string) error {
	opened, err := o.open(arguments[0])
	if err != nil {
		return err
	}
	for _, text := range arguments[1:] {
		index, err := strconv.ParseInt(text, 10, 64)
		if err != nil || index < 0 || index >= opened.head.Tree.N {
			return fmt.Errorf("no entry %s in a log of %d", text, opened.head.Tree.N)
		}
		hashes, err := opened.inclusion(index)
		if err != nil {
			return err
		}
		fmt.Print(c2sp.Proof{Index: index, Hashes: hashes, Note: opened.head.Note}.Text())
	}
	return nil
}

func extend(o options, arguments []string) error {
	opened, err := o.open(arguments[0])
	if err != nil {
		return err
	}
	old, err := openHead(o.keys, arguments[1])
	if err != nil {
		return err
	}
	proof, err := opened.extension(old.Tree)
	if err != nil {
		return err
	}
	for _, hash := range proof {
		fmt.Println(hash)
	}
	return nil
}
