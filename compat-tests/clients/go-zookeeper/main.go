// Asks go-zookeeper for the behaviours of behaviours.txt. An argument asks only for some.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// Longer than any wait for something that does happen.
const patience = 15 * time.Second

var (
	lone     = os.Getenv("COMPAT_CONNECT")
	ensemble = os.Getenv("COMPAT_ENSEMBLE")
	open     = zk.WorldACL(zk.PermAll)
)

// A behaviour gets clients and a path of its own, and fails by panicking.
type behaviour struct {
	name string
	run  func(client *client, root string)
}

// What the library does not offer.
var unsupported = []string{
	"create-stat", "multi-read", "watch-persistent", "watch-recursive", "watch-remove",
	// Calls block; requests of several goroutines have no order.
	"pipeline",
	"ephemerals-of", "all-children", "who-am-i", "session-takeover", "chroot", "read-only",
}

// A client and its session events.
type client struct {
	*zk.Conn
	events <-chan zk.Event
}

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

var opened []*client

func connect(servers string, timeout time.Duration) *client {
	// The library's own channel holds six, and loses what comes then.
	events := make(chan zk.Event, 4096)
	keep := zk.WithEventCallback(func(event zk.Event) { events <- event })
	conn, _, err := zk.Connect(strings.Split(servers, ","), timeout, zk.WithLogger(quiet{}), keep)
	ok(err)
	c := &client{conn, events}
	opened = append(opened, c)
	c.state(zk.StateHasSession)
	return c
}

func another() *client {
	return connect(lone, 6*time.Second)
}

// Waits until the client is told that it is in a state.
func (c *client) state(expected zk.State) {
	late := time.After(patience)
	for {
		select {
		case event := <-c.events:
			if event.Type == zk.EventSession && event.State == expected {
				return
			}
		case <-late:
			panic("waited in vain for " + expected.String())
		}
	}
}

// Creates a znode that all may use.
func (c *client) make(path, data string) {
	_, err := c.Create(path, []byte(data), 0, open)
	ok(err)
}

func (c *client) data(path string) string {
	data, _, err := c.Get(path)
	ok(err)
	return string(data)
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func fails(expected, err error) {
	if !errors.Is(err, expected) {
		panic(fmt.Sprintf("expected %v, got %v", expected, err))
	}
}

func same(expected, got interface{}) {
	if expected != got {
		panic(fmt.Sprintf("expected %v, got %v", expected, got))
	}
}

func check(condition bool, what string) {
	if !condition {
		panic(what)
	}
}

func until(what string, condition func() bool) {
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		check(time.Now().Before(end), "waited in vain for "+what)
	}
}

// Asserts the one event of a watch.
func fires(watch <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case event := <-watch:
		same(fmt.Sprint(kind, path), fmt.Sprint(event.Type, event.Path))
	case <-time.After(patience):
		panic("no event")
	}
}

// Has the test's owner break connections, kill servers, start them again.
func order(word string) {
	conn, err := net.Dial("tcp", os.Getenv("COMPAT_CONTROL"))
	ok(err)
	defer conn.Close()
	fmt.Fprintln(conn, word)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	ok(err)
	same("ok\n", answer)
}

func run(b behaviour, root string) (outcome string) {
	defer func() {
		for _, c := range opened {
			c.Close()
		}
		opened = nil
		if wrong := recover(); wrong != nil {
			fmt.Printf("%s", debug.Stack())
			outcome = "fails " + strings.Split(fmt.Sprint(wrong), "\n")[0]
		}
	}()
	c := another()
	c.make(root, "")
	b.run(c, root)
	return "works"
}

func main() {
	only := ""
	if len(os.Args) > 1 {
		only = os.Args[1]
	}
	for number, b := range append(znodes(), sessions()...) {
		if strings.Contains(b.name, only) {
			began := time.Now()
			outcome := run(b, fmt.Sprintf("/go-%d", number))
			fmt.Printf("(%.1f s)\n%s %s\n", time.Since(began).Seconds(), b.name, outcome)
		}
	}
	for _, name := range unsupported {
		fmt.Println(name, "unsupported")
	}
}
