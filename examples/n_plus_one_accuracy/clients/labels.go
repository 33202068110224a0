// Scenarios of a Go client: a name each, and what is known to happen in it. `list` prints the names;
// `run NAME FILE` runs one and writes its labels. N is counted beside each query, by whoever wrote it.
package main

import (
	"fmt"
	"log"
	"os"
	"strings"
)

const threshold = 5

type scenario struct {
	name string
	run  func()
}

var labels strings.Builder

// expectLoop says that the child is asked n times for rows of the parent; both are pieces of their texts.
func expectLoop[N int | int64](parent, child string, n N) {
	if n >= threshold {
		fmt.Fprintf(&labels, "loop\t%s\t%s\t%d\n", parent, child, n)
	}
}

func expectRepeat[N int | int64](kind string, n N) {
	fmt.Fprintf(&labels, "repeat\t%s\t%d\n", kind, n)
}

// present does what the command line asks for.
func present(version string, scenarios []scenario) {
	isList := os.Args[1] == "list"
	if isList {
		fmt.Println("version\t" + version)
	}
	for _, one := range scenarios {
		if isList {
			fmt.Println("scenario\t" + one.name)
		} else if one.name == os.Args[2] {
			one.run()
			if err := os.WriteFile(os.Args[3], []byte(labels.String()), 0o600); err != nil {
				log.Fatal(err)
			}
		}
	}
}
