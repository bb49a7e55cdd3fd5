package main

import (
	"fmt"
	"sort"
)

// What ZooKeeper promises beyond single keys: all writes in one order, which their zxids show,
// and sessions that never see the past.

// Writes of all keys have the zxids of one order, in which time goes on.
func checkOneOrder(history []operation) []string {
	var problems []string
	var writes []operation
	by := map[int64]operation{}
	for _, o := range history {
		if !o.changed() {
			continue
		}
		if twin, there := by[o.Zxid]; there {
			problems = append(problems, fmt.Sprintf("two writes with one zxid: %s and %s", twin, o))
		}
		by[o.Zxid] = o
		writes = append(writes, o)
	}
	byReturn := append([]operation(nil), writes...)
	sort.Slice(writes, func(i, j int) bool { return writes[i].Call < writes[j].Call })
	sort.Slice(byReturn, func(i, j int) bool { return byReturn[i].Return < byReturn[j].Return })
	var last operation
	next := 0
	for _, o := range writes {
		for ; next < len(byReturn) && byReturn[next].Return < o.Call; next++ {
			if byReturn[next].Zxid > last.Zxid {
				last = byReturn[next]
			}
		}
		if o.Zxid < last.Zxid {
			problems = append(problems, fmt.Sprintf("a later write with a lower zxid: %s after %s", o, last))
		}
	}
	return problems
}

// The acknowledged writes of each key, in order of zxids.
type writesOf map[string][]operation

// The newest acknowledged write up to a zxid.
func (w writesOf) upTo(key string, zxid int64) (operation, bool) {
	all := w[key]
	place := sort.Search(len(all), func(i int) bool { return all[i].Zxid > zxid })
	if place == 0 {
		return operation{}, false
	}
	return all[place-1], true
}

// Each session sees zxids that never go back, and at each zxid what was written up to there:
// its own writes, the writes it has read before, and all others.
func checkSessions(history []operation) []string {
	writes, unknownDeletes := writesOf{}, map[string]bool{}
	for _, o := range history {
		if o.changed() {
			writes[o.Key] = append(writes[o.Key], o)
		}
		if o.Op == opDelete && !o.known() {
			unknownDeletes[o.Key] = true
		}
	}
	for _, all := range writes {
		sort.Slice(all, func(i, j int) bool { return all[i].Zxid < all[j].Zxid })
	}
	ordered := append([]operation(nil), history...)
	sort.SliceStable(ordered, func(i, j int) bool { return ordered[i].Call < ordered[j].Call })
	var problems []string
	seen := map[int]operation{}
	for _, o := range ordered {
		if !o.known() {
			continue
		}
		if before := seen[o.Client]; o.Zxid < before.Zxid {
			problems = append(problems, fmt.Sprintf("a session saw the past: %s after %s", o, before))
		}
		seen[o.Client] = o
		if o.isRead() {
			problems = append(problems, checkRead(o, writes, unknownDeletes[o.Key])...)
		}
	}
	return problems
}

func checkRead(o operation, writes writesOf, perhapsDeleted bool) []string {
	newest, written := writes.upTo(o.Key, o.Zxid)
	if o.Result == resultMissing {
		if written && newest.Op != opDelete && !perhapsDeleted {
			return []string{fmt.Sprintf("not seen: %s, by %s", newest, o)}
		}
		return nil
	}
	if o.Mzxid > o.Zxid {
		return []string{fmt.Sprintf("from the future: %s", o)}
	}
	if written && o.Mzxid < newest.Zxid {
		return []string{fmt.Sprintf("not seen: %s, by %s", newest, o)}
	}
	if written && o.Mzxid == newest.Zxid && (newest.Op == opDelete || o.Got != newest.Value) {
		return []string{fmt.Sprintf("not what was written: %s, by %s", newest, o)}
	}
	return nil
}
