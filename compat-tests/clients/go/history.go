package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// What a client asked for.
const (
	opCreate = "create"
	opSet    = "set"
	opDelete = "delete"
	// A read behind a sync: as up to date as a write.
	opRead = "read"
	// A plain read: may be old, but not older than what its session saw before.
	opPeek = "peek"
)

// What came of it.
const (
	resultOK = "ok"
	// The znode is there already.
	resultExists = "exists"
	// It is not there.
	resultMissing = "missing"
	// It has another version than the one expected.
	resultVersion = "version"
	// The connection was lost: it happened at any time later, or never.
	resultUnknown = "unknown"
)

// One operation of a history: a line of JSON.
type operation struct {
	// Which session; its operations follow each other.
	Client int    `json:"client"`
	Key    string `json:"key"`
	Op     string `json:"op"`
	// What is written; no two writes have the same.
	Value string `json:"value"`
	// The version that set and delete expect; -1 for any.
	Expect int `json:"expect"`
	// Nanoseconds of one monotonic clock. An unknown outcome has no return.
	Call   int64  `json:"call"`
	Return int64  `json:"return"`
	Result string `json:"result"`
	// What was read, or the version that a set made.
	Got     string `json:"got"`
	Version int    `json:"version"`
	// The zxid of the reply, and the one that last changed what was read.
	Zxid  int64 `json:"zxid"`
	Mzxid int64 `json:"mzxid"`
}

func (o operation) known() bool { return o.Result != resultUnknown }

func (o operation) isRead() bool { return o.Op == opRead || o.Op == opPeek }

// Whether it changed its key.
func (o operation) changed() bool { return !o.isRead() && o.Result == resultOK }

func (o operation) String() string {
	return fmt.Sprintf("client %d: %s %s %q (version %d) at %d: %s %q version %d zxid %#x mzxid %#x",
		o.Client, o.Op, o.Key, o.Value, o.Expect, o.Call, o.Result, o.Got, o.Version, o.Zxid, o.Mzxid)
}

func readHistory(from io.Reader) ([]operation, error) {
	var history []operation
	decoder := json.NewDecoder(bufio.NewReader(from))
	decoder.DisallowUnknownFields()
	for {
		var one operation
		if err := decoder.Decode(&one); err == io.EOF {
			return history, nil
		} else if err != nil {
			return nil, fmt.Errorf("operation %d: %w", len(history)+1, err)
		}
		history = append(history, one)
	}
}
