// Judges a history of a service that is to behave as ZooKeeper: a line of JSON for each
// operation, from standard input or a file. Linearizability is Porcupine's to judge.
package main

import (
	"fmt"
	"os"
)

const shownMax = 20

func main() {
	from := os.Stdin
	if len(os.Args) > 1 {
		file, err := os.Open(os.Args[1])
		if err != nil {
			fail(err.Error())
		}
		from = file
	}
	history, err := readHistory(from)
	if err != nil {
		fail(err.Error())
	}
	problems := checkOneOrder(history)
	problems = append(problems, checkSessions(history)...)
	problems = append(problems, checkLinearizable(history)...)
	if len(problems) > shownMax {
		problems = append(problems[:shownMax], fmt.Sprintf("and %d more", len(problems)-shownMax))
	}
	if len(problems) > 0 {
		for _, problem := range problems {
			fmt.Println(problem)
		}
		os.Exit(1)
	}
	unknown := 0
	keys := map[string]bool{}
	for _, o := range history {
		keys[o.Key] = true
		if !o.known() {
			unknown++
		}
	}
	fmt.Printf("%d operations on %d keys, %d of unknown outcome: as promised\n", len(history), len(keys), unknown)
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(2)
}
