package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

func sessions() []behaviour {
	return []behaviour{
		{"connect", func(c *client, root string) {
			check(c.SessionID() != 0, "a session id")
			connect(lone, 100*time.Millisecond)
			connect(lone, 500*time.Second)
		}},
		{"auth-again", authAgain},
		{"watch-again", watchAgain},
		{"watch-missed", watchMissed},
		{"session-kept", kept},
		{"session-restart", restart},
		{"session-close", closes},
		{"session-expired", expired},
		{"server-killed", func(c *client, root string) {
			outlives(root, func(session int64) string {
				return fmt.Sprintf("kill-server-of %#x", session)
			})
		}},
		{"leader-killed", func(c *client, root string) {
			outlives(root, func(int64) string { return "kill-leader" })
		}},
		{"config-get", configGet},
		{"reconfig", reconfig},
	}
}

func drop(clients ...*client) {
	order("drop")
	for _, c := range clients {
		c.state(zk.StateDisconnected)
		c.state(zk.StateHasSession)
	}
}

func (c *client) ephemeral(path, data string) {
	_, err := c.Create(path, []byte(data), zk.FlagEphemeral, open)
	ok(err)
}

func authAgain(c *client, root string) {
	ok(c.AddAuth("digest", []byte("alice:secret")))
	_, err := c.Create(root+"/a", nil, 0, zk.AuthACL(zk.PermAll))
	ok(err)
	drop(c)
	_, err = c.Set(root+"/a", []byte("hers"), -1)
	ok(err)
}

func watchAgain(c *client, root string) {
	writer := another()
	_, _, children, err := c.ChildrenW(root)
	ok(err)
	_, _, created, err := c.ExistsW(root + "/w")
	ok(err)
	_, _, changed, err := c.GetW(root)
	ok(err)
	drop(c, writer)
	// The watches are set again before this is answered.
	_, err = c.Sync(root)
	ok(err)
	check(len(children) == 0 && len(created) == 0 && len(changed) == 0, "nothing happened yet")
	writer.make(root+"/w", "")
	fires(created, zk.EventNodeCreated, root+"/w")
	fires(children, zk.EventNodeChildrenChanged, root)
	_, err = writer.Set(root, []byte("1"), -1)
	ok(err)
	fires(changed, zk.EventNodeDataChanged, root)
}

func watchMissed(c *client, root string) {
	writer := another()
	_, _, created, err := c.ExistsW(root + "/w")
	ok(err)
	order("drop")
	// Before or after the watcher is back: it is told in any case.
	insist(writer, root+"/w")
	fires(created, zk.EventNodeCreated, root+"/w")
}

func owner(c *client, path string) int64 {
	_, stat, err := c.Exists(path)
	ok(err)
	return stat.EphemeralOwner
}

func kept(c *client, root string) {
	session := c.SessionID()
	c.ephemeral(root+"/e", "")
	for round := 0; round < 3; round++ {
		drop(c)
		same(session, c.SessionID())
		same(session, owner(c, root+"/e"))
	}
}

func restart(_ *client, root string) {
	c := connect(lone, 30*time.Second)
	session := c.SessionID()
	c.ephemeral(root+"/e", "kept")
	_, before, err := c.Get(root + "/e")
	ok(err)
	order("restart")
	c.state(zk.StateDisconnected)
	c.state(zk.StateHasSession)
	same(session, c.SessionID())
	data, after, err := c.Get(root + "/e")
	ok(err)
	same("kept", string(data))
	same(*before, *after)
}

func closes(c *client, root string) {
	other := another()
	c.ephemeral(root+"/e", "")
	_, _, watch, err := other.ExistsW(root + "/e")
	ok(err)
	c.Close()
	fires(watch, zk.EventNodeDeleted, root+"/e")
	there, _, err := other.Exists(root + "/e")
	ok(err)
	same(false, there)
}

func expired(other *client, root string) {
	c := connect(lone, time.Second)
	session := c.SessionID()
	c.ephemeral(root+"/e", "")
	order("close")
	order(fmt.Sprintf("expired %#x", session))
	order("open")
	c.state(zk.StateExpired)
	c.state(zk.StateHasSession)
	check(c.SessionID() != session, "another session")
	other.state(zk.StateHasSession)
	there, _, err := other.Exists(root + "/e")
	ok(err)
	same(false, there)
}

// Creates a znode, again and again while connections break.
func insist(c *client, path string) {
	repeated := false
	until("a server", func() bool {
		_, err := c.Create(path, nil, 0, open)
		if repeated && errors.Is(err, zk.ErrNodeExists) {
			return true
		}
		repeated = true
		return err == nil
	})
}

func outlives(root string, kill func(int64) string) {
	order("ensemble")
	c := connect(ensemble, 30*time.Second)
	session := c.SessionID()
	c.make(root, "")
	c.ephemeral(root+"/e", "")
	for number := 0; number < 10; number++ {
		if number == 5 {
			order(kill(session))
		}
		insist(c, fmt.Sprintf("%s/%d", root, number))
	}
	same(session, c.SessionID())
	same(session, owner(c, root+"/e"))
	names, _, err := c.Children(root)
	ok(err)
	same(11, len(names))
}

func configGet(_ *client, root string) {
	order("ensemble")
	lines := strings.Split(connect(ensemble, 6*time.Second).data("/zookeeper/config"), "\n")
	same(4, len(lines))
	check(strings.HasPrefix(lines[2], "server.3="), lines[2])
	check(strings.HasPrefix(lines[3], "version="), lines[3])
}

func reconfig(_ *client, root string) {
	order("ensemble")
	c := connect(ensemble, 6*time.Second)
	line := []string{strings.Split(c.data("/zookeeper/config"), "\n")[2]}
	_, err := c.IncrementalReconfig(line, nil, -1)
	fails(zk.ErrNoAuth, err)
	ok(c.AddAuth("digest", []byte("super:test")))
	_, err = c.IncrementalReconfig(line, nil, -1)
	ok(err)
	version, err := strconv.ParseInt(strings.Split(c.data("/zookeeper/config"), "version=")[1], 16, 64)
	ok(err)
	_, err = c.IncrementalReconfig(line, nil, version)
	ok(err)
	_, err = c.IncrementalReconfig(line, nil, version)
	fails(zk.ErrBadVersion, err)
}
