package main

import (
	"fmt"
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

// How long one key's history may take to judge.
const patience = 60 * time.Second

// What a key holds.
type register struct {
	exists  bool
	value   string
	version int
}

// One znode: created, written, written if it has a version, deleted, read behind a sync.
var model = porcupine.Model{
	Init: func() interface{} { return register{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		next, possible := step(state.(register), input.(operation))
		return possible, next
	},
}

// The key afterwards, and whether the operation can have had its result.
func step(now register, o operation) (register, bool) {
	next, result := now, resultMissing
	switch {
	case o.Op == opCreate && now.exists:
		result = resultExists
	case o.Op == opCreate:
		next, result = register{true, o.Value, 0}, resultOK
	case !now.exists:
	case o.Op == opRead:
		result = resultOK
	case o.Expect != -1 && o.Expect != now.version:
		result = resultVersion
	case o.Op == opSet:
		next, result = register{true, o.Value, now.version + 1}, resultOK
	case o.Op == opDelete:
		next, result = register{}, resultOK
	}
	if !o.known() {
		// If it never happened, nobody minds that it happens at the very end.
		return next, true
	}
	possible := result == o.Result
	if possible && result == resultOK && o.Op == opRead {
		possible = o.Got == now.value && o.Version == now.version
	}
	if possible && result == resultOK && o.Op == opSet {
		possible = o.Version == next.version
	}
	return next, possible
}

// Whether what happened to each key could have happened in some order that respects time.
func checkLinearizable(history []operation) []string {
	keys := map[string][]porcupine.Operation{}
	for _, o := range history {
		if o.Op == opPeek || (o.Op == opRead && !o.known()) {
			continue
		}
		end := o.Return
		if !o.known() {
			end = math.MaxInt64
		}
		keys[o.Key] = append(keys[o.Key], porcupine.Operation{
			ClientId: o.Client, Input: o, Call: o.Call, Output: nil, Return: end,
		})
	}
	var problems []string
	for key, operations := range keys {
		switch porcupine.CheckOperationsTimeout(model, operations, patience) {
		case porcupine.Ok:
		case porcupine.Illegal:
			problems = append(problems, fmt.Sprintf("%s: %d operations are not linearizable", key, len(operations)))
		default:
			problems = append(problems, fmt.Sprintf("%s: %d operations could not be judged in %s", key, len(operations), patience))
		}
	}
	return problems
}
