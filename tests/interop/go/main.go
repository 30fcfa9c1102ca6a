// Verifies an exported access log with golang.org/x/mod's sumdb packages note and tlog.
//
//	verify KEY FOLDER CASES
//
// The root is recomputed from the entries and each hash tile is compared with the recomputed tree:
// tlog.TileHashReader of older releases leaves some tiles unauthenticated, so nothing is read by it.
// CASES is a JSON file with inclusion and consistency proofs under the folder's checkpoint.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type inclusion struct {
	Index int64
	Entry []byte
	Proof [][]byte
}

type consistency struct {
	Old   int64
	Root  []byte
	Proof [][]byte
}

type cases struct {
	Inclusion   []inclusion
	Consistency []consistency
}

func main() {
	size, err := verify(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Println("NOT VERIFIED:", err)
		os.Exit(1)
	}
	fmt.Printf("verified: %d entries\n", size)
}

func verify(key, folder, file string) (int64, error) {
	tree, err := openCheckpoint(key, filepath.Join(folder, "checkpoint"))
	if err != nil {
		return 0, err
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, 0, len(indexes))
		for _, i := range indexes {
			found = append(found, stored[i])
		}
		return found, nil
	})
	for n := int64(0); n < tree.N; {
		entries, err := readBundle(folder, n>>height, tree.N)
		if err != nil {
			return 0, err
		}
		for _, entry := range entries {
			hashes, err := tlog.StoredHashes(n, entry, reader)
			if err != nil {
				return 0, err
			}
			stored = append(stored, hashes...)
			n++
		}
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return 0, err
	}
	if root != tree.Hash {
		return 0, fmt.Errorf("the entries make the root %v, signed was %v", root, tree.Hash)
	}
	for level := 0; tree.N>>(height*level) > 0; level++ {
		hashes := tree.N >> (height * level)
		for n := int64(0); n<<height < hashes; n++ {
			tile := tlog.Tile{H: height, L: level, N: n, W: width(hashes, n)}
			if err := compare(folder, tile, reader); err != nil {
				return 0, err
			}
		}
	}
	return tree.N, verifyCases(file, tree)
}

// width is how much of the tile with this number there is among so many hashes or entries.
func width(count, number int64) int {
	if rest := count - number<<height; rest < 1<<height {
		return int(rest)
	}
	return 1 << height
}

func openCheckpoint(key, path string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.TrimPrefix(opened.Text, verifier.Name()+"\n")
	if lines == opened.Text {
		return tlog.Tree{}, errors.New("the checkpoint is of another log")
	}
	// ParseTree knows one log only; the two lines after the origin are the same.
	return tlog.ParseTree([]byte("go.sum database tree\n" + lines))
}

func readBundle(folder string, number, size int64) ([][]byte, error) {
	wanted := width(size, number)
	path := tlog.Tile{H: height, L: -1, N: number, W: wanted}.Path()
	path = strings.Replace(path, fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(folder, path))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if end > len(data) {
			break
		}
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(data) != 0 || len(entries) != wanted {
		return nil, fmt.Errorf("%s does not hold %d whole entries", path, wanted)
	}
	return entries, nil
}

func compare(folder string, tile tlog.Tile, reader tlog.HashReader) error {
	expected, err := tlog.ReadTileData(tile, reader)
	if err != nil {
		return err
	}
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	found, err := os.ReadFile(filepath.Join(folder, path))
	if err != nil {
		return err
	}
	if !bytes.Equal(found, expected) {
		return fmt.Errorf("%s has other hashes than the entries make", path)
	}
	return nil
}

func verifyCases(file string, tree tlog.Tree) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var given cases
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	for _, each := range given.Inclusion {
		leaf := tlog.RecordHash(each.Entry)
		if err := tlog.CheckRecord(hashes(each.Proof), tree.N, tree.Hash, each.Index, leaf); err != nil {
			return fmt.Errorf("inclusion of %d: %w", each.Index, err)
		}
	}
	for _, each := range given.Consistency {
		old := hashes([][]byte{each.Root})[0]
		if err := tlog.CheckTree(hashes(each.Proof), tree.N, tree.Hash, each.Old, old); err != nil {
			return fmt.Errorf("consistency with %d: %w", each.Old, err)
		}
	}
	return nil
}

func hashes(values [][]byte) []tlog.Hash {
	found := make([]tlog.Hash, len(values))
	for i, value := range values {
		copy(found[i][:], value)
	}
	return found
}
