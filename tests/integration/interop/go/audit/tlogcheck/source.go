package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	height  = 8
	width   = 1 << height
	bundle  = -1 // sumdb's level of the tiles that hold entries
	readers = 8
	maxFile = width * (2 + 0xffff)
)

// source is where the files of a log are: a folder, or what a URL prefix leads to. Absent files are fs.ErrNotExist.
type source func(path string) ([]byte, error)

// trust is what TLS needs: files with the certificates that servers are trusted by, and with the client's own
// certificate and private key. Each may be empty.
type trust struct{ ca, certificate, key string }

func newSource(place string, files trust) (source, error) {
	if !strings.HasPrefix(place, "http://") && !strings.HasPrefix(place, "https://") {
		return func(path string) ([]byte, error) {
			return os.ReadFile(filepath.Join(place, filepath.FromSlash(path)))
		}, nil
	}
	config, err := files.config()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: readers, TLSClientConfig: config}
	return overHTTP(&http.Client{Transport: transport}, strings.TrimSuffix(place, "/")), nil
}

func (files trust) config() (*tls.Config, error) {
	config := &tls.Config{}
	if files.ca != "" {
		pem, err := os.ReadFile(files.ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificates", files.ca)
		}
	}
	if files.certificate != "" {
		own, err := tls.LoadX509KeyPair(files.certificate, files.key)
		if err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	return config, nil
}

func overHTTP(client *http.Client, prefix string) source {
	return func(path string) ([]byte, error) {
		answer, err := client.Get(prefix + "/" + path) // asks for gzip and unpacks it
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		switch answer.StatusCode {
		case http.StatusOK:
			return io.ReadAll(io.LimitReader(answer.Body, maxFile))
		case http.StatusNotFound:
			return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
}

// path is a tile's name after https://c2sp.org/tlog-tiles, which differs from sumdb's in that no height is in it.
func path(tile tlog.Tile) string {
	name := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	if tile.L == bundle {
		name = "entries/" + strings.TrimPrefix(name, "data/")
	}
	return "tile/" + name
}

// tile reads a tile or bundle, or the full one where the partial one was removed; whole says that it is the full one.
func (read source) tile(tile tlog.Tile) (data []byte, whole bool, err error) {
	data, err = read(path(tile))
	if tile.W < width && errors.Is(err, fs.ErrNotExist) {
		tile.W = width
		data, err = read(path(tile))
	}
	return data, tile.W == width, err
}

// tiles is sumdb's tlog.TileReader over a source.
type tiles struct{ read source }

func (tiles) Height() int { return height }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	err := each(len(wanted), func(i int) (err error) {
		data[i], err = t.readTile(wanted[i])
		return err
	})
	return data, err
}

func (t tiles) readTile(tile tlog.Tile) ([]byte, error) {
	data, whole, err := t.read.tile(tile)
	if err != nil {
		return nil, err
	}
	has := tile.W
	if whole {
		has = width
	}
	if len(data) != has*tlog.HashSize {
		return nil, fmt.Errorf("%s: %d bytes", path(tile), len(data))
	}
	return data[:tile.W*tlog.HashSize], nil
}

// each does n things, several at a time, and returns the first error in their order.
func each(n int, do func(int) error) error {
	failed := make([]error, n)
	next := make(chan int)
	var running sync.WaitGroup
	for reader := 0; reader < readers; reader++ {
		running.Add(1)
		go func() {
			defer running.Done()
			for i := range next {
				failed[i] = do(i)
			}
		}()
	}
	for i := 0; i < n; i++ {
		next <- i
	}
	close(next)
	running.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}
