package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

func znodes() []behaviour {
	return []behaviour{
		{"create", func(c *client, root string) {
			path, err := c.Create(root+"/a", []byte("one"), 0, open)
			ok(err)
			same(root+"/a", path)
		}},
		{"create-ephemeral", createEphemeral},
		{"create-sequential", createSequential},
		{"container", container},
		{"ttl", ttl},
		{"get-set", getSet},
		{"exists", exists},
		{"delete", deletes},
		{"children", children},
		{"children-stat", childrenStat},
		{"bad-version", badVersion},
		{"node-errors", nodeErrors},
		{"data-empty", dataEmpty},
		{"data-large", dataLarge},
		{"data-too-large", dataTooLarge},
		{"unicode", unicode},
		{"acl", acl},
		{"acl-digest", aclDigest},
		{"acl-auth", aclAuth},
		{"acl-ip", aclIP},
		{"auth-unknown", func(c *client, root string) {
			fails(zk.ErrAuthFailed, c.AddAuth("nonsense", []byte("x")))
		}},
		{"quota", quota},
		{"multi", multi},
		{"multi-fails", multiFails},
		{"watch-data", watchData},
		{"watch-exists", watchExists},
		{"watch-children", watchChildren},
		{"watch-once", watchOnce},
		{"watch-first", watchFirst},
		{"sync", func(c *client, root string) {
			path, err := c.Sync(root)
			ok(err)
			same(root, path)
		}},
	}
}

func createEphemeral(c *client, root string) {
	_, err := c.Create(root+"/e", nil, zk.FlagEphemeral, open)
	ok(err)
	other := another()
	_, stat, err := other.Exists(root + "/e")
	ok(err)
	same(c.SessionID(), stat.EphemeralOwner)
	_, err = other.Create(root+"/e/c", nil, 0, open)
	fails(zk.ErrNoChildrenForEphemerals, err)
}

func createSequential(c *client, root string) {
	path, err := c.Create(root+"/s-", nil, zk.FlagSequence, open)
	ok(err)
	same(root+"/s-0000000000", path)
	c.make(root+"/plain", "")
	path, err = c.Create(root+"/e-", nil, zk.FlagSequence|zk.FlagEphemeral, open)
	ok(err)
	same(root+"/e-0000000002", path)
	path, err = c.CreateProtectedEphemeralSequential(root+"/p-", nil, open)
	ok(err)
	check(strings.HasSuffix(path, "p-0000000003"), path)
}

func gone(c *client, path string) {
	until("the end of "+path, func() bool {
		there, _, err := c.Exists(path)
		ok(err)
		return !there
	})
}

func container(c *client, root string) {
	_, err := c.CreateContainer(root+"/container", nil, zk.FlagContainer, open)
	ok(err)
	c.make(root+"/container/c", "")
	ok(c.Delete(root+"/container/c", -1))
	gone(c, root+"/container")
}

func ttl(c *client, root string) {
	_, err := c.CreateTTL(root+"/ttl", nil, zk.FlagTTL, open, 400*time.Millisecond)
	ok(err)
	path, err := c.CreateTTL(root+"/t-", nil, zk.FlagPersistentSequentialWithTTL, open, time.Hour)
	ok(err)
	same(root+"/t-0000000001", path)
	gone(c, root+"/ttl")
	there, _, err := c.Exists(path)
	ok(err)
	check(there, "the other stays")
}

func getSet(c *client, root string) {
	c.make(root+"/a", "one")
	data, stat, err := c.Get(root + "/a")
	ok(err)
	same("one", string(data))
	check(stat.Version == 0 && stat.DataLength == 3 && stat.Czxid == stat.Mzxid, "the Stat")
	stat, err = c.Set(root+"/a", []byte("two"), 0)
	ok(err)
	check(stat.Version == 1 && stat.Mzxid > stat.Czxid, "the new Stat")
	same("two", c.data(root+"/a"))
}

func exists(c *client, root string) {
	there, _, err := c.Exists(root + "/none")
	ok(err)
	same(false, there)
	there, stat, err := c.Exists(root)
	ok(err)
	same(true, there)
	_, read, err := c.Get(root)
	ok(err)
	same(*read, *stat)
}

func deletes(c *client, root string) {
	c.make(root+"/a", "")
	c.make(root+"/a/b", "")
	fails(zk.ErrNotEmpty, c.Delete(root+"/a", -1))
	ok(c.Delete(root+"/a/b", -1))
	ok(c.Delete(root+"/a", -1))
	there, _, err := c.Exists(root + "/a")
	ok(err)
	same(false, there)
}

func children(c *client, root string) {
	names, _, err := c.Children(root)
	ok(err)
	same(0, len(names))
	c.make(root+"/a", "")
	c.make(root+"/b", "")
	names, _, err = c.Children(root)
	ok(err)
	sort.Strings(names)
	same("[a b]", fmt.Sprint(names))
}

func childrenStat(c *client, root string) {
	c.make(root+"/a", "")
	names, stat, err := c.Children(root)
	ok(err)
	same("[a] 1 1", fmt.Sprint(names, stat.NumChildren, stat.Cversion))
}

func badVersion(c *client, root string) {
	_, err := c.Set(root, nil, 1)
	fails(zk.ErrBadVersion, err)
	fails(zk.ErrBadVersion, c.Delete(root, 7))
	ok(c.Delete(root, 0))
}

func nodeErrors(c *client, root string) {
	_, err := c.Create(root, nil, 0, open)
	fails(zk.ErrNodeExists, err)
	_, _, err = c.Get(root + "/none")
	fails(zk.ErrNoNode, err)
	_, err = c.Set(root+"/none", nil, -1)
	fails(zk.ErrNoNode, err)
	fails(zk.ErrNoNode, c.Delete(root+"/none", -1))
	_, _, err = c.Children(root + "/none")
	fails(zk.ErrNoNode, err)
	_, err = c.Create(root+"/none/below", nil, 0, open)
	fails(zk.ErrNoNode, err)
}

func dataEmpty(c *client, root string) {
	_, err := c.Create(root+"/null", nil, 0, open)
	ok(err)
	data, _, err := c.Get(root + "/null")
	ok(err)
	check(data == nil, "null")
	c.make(root+"/empty", "")
	data, _, err = c.Get(root + "/empty")
	ok(err)
	check(data != nil && len(data) == 0, "empty")
}

func dataLarge(c *client, root string) {
	large := strings.Repeat("x", 1_000_000)
	c.make(root+"/large", large)
	check(c.data(root+"/large") == large, "the data")
}

func dataTooLarge(c *client, root string) {
	session := c.SessionID()
	_, err := c.Create(root+"/big", make([]byte, 1_100_000), 0, open)
	check(err != nil, "an error")
	c.state(zk.StateHasSession)
	there, _, err := c.Exists(root + "/big")
	ok(err)
	same(false, there)
	same(session, c.SessionID())
}

func unicode(c *client, root string) {
	c.make(root+"/ünïcode-日本", "ünï")
	names, _, err := c.Children(root)
	ok(err)
	same("ünïcode-日本", names[0])
	same("ünï", c.data(root+"/ünïcode-日本"))
}

func acl(c *client, root string) {
	list, stat, err := c.GetACL(root)
	ok(err)
	same(fmt.Sprint(open, 0), fmt.Sprint(list, stat.Aversion))
	few := zk.WorldACL(zk.PermRead | zk.PermAdmin)
	stat, err = c.SetACL(root, few, 0)
	ok(err)
	same(int32(1), stat.Aversion)
	_, err = c.Set(root, nil, -1)
	fails(zk.ErrNoAuth, err)
	_, err = c.Create(root+"/a", nil, 0, open)
	fails(zk.ErrNoAuth, err)
	_, err = c.SetACL(root, few, 0)
	fails(zk.ErrBadVersion, err)
}

func aclDigest(c *client, root string) {
	alice, bob := another(), another()
	ok(alice.AddAuth("digest", []byte("alice:secret")))
	_, err := c.Create(root+"/a", []byte("hers"), 0, zk.DigestACL(zk.PermAll, "alice", "secret"))
	ok(err)
	same("hers", alice.data(root+"/a"))
	_, _, err = bob.Get(root + "/a")
	fails(zk.ErrNoAuth, err)
	_, err = bob.Set(root+"/a", nil, -1)
	fails(zk.ErrNoAuth, err)
	ok(bob.AddAuth("digest", []byte("alice:secret")))
	same("hers", bob.data(root+"/a"))
}

func aclAuth(c *client, root string) {
	_, err := c.Create(root+"/b", nil, 0, zk.AuthACL(zk.PermAll))
	fails(zk.ErrInvalidACL, err)
	ok(c.AddAuth("digest", []byte("alice:secret")))
	_, err = c.Create(root+"/a", nil, 0, zk.AuthACL(zk.PermAll))
	ok(err)
	list, _, err := c.GetACL(root + "/a")
	ok(err)
	same(fmt.Sprint(zk.DigestACL(zk.PermAll, "alice", "secret")), fmt.Sprint(list))
}

func aclIP(c *client, root string) {
	for _, address := range []string{"127.0.0.1", "10.0.0.0"} {
		list := []zk.ACL{{Perms: zk.PermAll, Scheme: "ip", ID: address}}
		_, err := c.Create(root+"/"+address, nil, 0, list)
		ok(err)
	}
	c.data(root + "/127.0.0.1")
	_, _, err := c.Get(root + "/10.0.0.0")
	fails(zk.ErrNoAuth, err)
}

func quota(c *client, root string) {
	place := "/zookeeper/quota" + root
	c.make(place, "")
	c.make(place+"/zookeeper_limits", "count=5,bytes=-1")
	c.make(place+"/zookeeper_stats", "count=1,bytes=0")
	c.make(root+"/a", "12345")
	stats := c.data(place + "/zookeeper_stats")
	check(strings.HasPrefix(stats, "count=2,bytes=5"), stats)
}

func multi(c *client, root string) {
	results, err := c.Multi(
		&zk.CreateRequest{Path: root + "/a", Data: []byte("1"), Acl: open},
		&zk.CheckVersionRequest{Path: root + "/a", Version: 0},
		&zk.SetDataRequest{Path: root + "/a", Data: []byte("2"), Version: 0},
		&zk.CreateRequest{Path: root + "/a/s-", Acl: open, Flags: zk.FlagSequence},
		&zk.CreateRequest{Path: root + "/c", Acl: open},
		&zk.DeleteRequest{Path: root + "/c", Version: 0},
	)
	ok(err)
	same(6, len(results))
	same(root+"/a", results[0].String)
	same(int32(1), results[2].Stat.Version)
	same(root+"/a/s-0000000000", results[3].String)
	same("2", c.data(root+"/a"))
	there, _, err := c.Exists(root + "/c")
	ok(err)
	same(false, there)
}

func multiFails(c *client, root string) {
	results, err := c.Multi(
		&zk.CreateRequest{Path: root + "/a", Acl: open},
		&zk.CheckVersionRequest{Path: root + "/a", Version: 3},
		&zk.DeleteRequest{Path: root + "/a", Version: -1},
	)
	fails(zk.ErrBadVersion, err)
	same(3, len(results))
	same(nil, results[0].Error)
	fails(zk.ErrBadVersion, results[1].Error)
	check(results[2].Error != nil, "what follows fails")
	names, _, err := c.Children(root)
	ok(err)
	same(0, len(names))
}

func watchData(c *client, root string) {
	writer := another()
	writer.make(root+"/w", "")
	_, _, watch, err := c.GetW(root + "/w")
	ok(err)
	_, err = writer.Set(root+"/w", []byte("1"), -1)
	ok(err)
	fires(watch, zk.EventNodeDataChanged, root+"/w")
	_, _, watch, err = c.GetW(root + "/w")
	ok(err)
	ok(writer.Delete(root+"/w", -1))
	fires(watch, zk.EventNodeDeleted, root+"/w")
}

func watchExists(c *client, root string) {
	writer := another()
	there, _, watch, err := c.ExistsW(root + "/w")
	ok(err)
	same(false, there)
	writer.make(root+"/w", "")
	fires(watch, zk.EventNodeCreated, root+"/w")
	_, _, watch, err = c.ExistsW(root + "/w")
	ok(err)
	ok(writer.Delete(root+"/w", -1))
	fires(watch, zk.EventNodeDeleted, root+"/w")
}

func watchChildren(c *client, root string) {
	writer := another()
	_, _, watch, err := c.ChildrenW(root)
	ok(err)
	writer.make(root+"/c", "")
	fires(watch, zk.EventNodeChildrenChanged, root)
	_, _, watch, err = c.ChildrenW(root)
	ok(err)
	ok(writer.Delete(root+"/c", -1))
	fires(watch, zk.EventNodeChildrenChanged, root)
}

func watchOnce(c *client, root string) {
	writer := another()
	_, _, watch, err := c.GetW(root)
	ok(err)
	for _, data := range []string{"1", "2"} {
		_, err = writer.Set(root, []byte(data), -1)
		ok(err)
	}
	fires(watch, zk.EventNodeDataChanged, root)
	_, err = c.Sync(root)
	ok(err)
	// All events of the connection come here too.
	count := 0
	for len(c.events) > 0 {
		if event := <-c.events; event.Type == zk.EventNodeDataChanged && event.Path == root {
			count++
		}
	}
	same(1, count)
}

func watchFirst(c *client, root string) {
	writer := another()
	for round := 0; round < 50; round++ {
		_, _, watch, err := c.GetW(root)
		ok(err)
		written := fmt.Sprint(round)
		done := make(chan error, 1)
		go func() {
			_, err := writer.Set(root, []byte(written), -1)
			done <- err
		}()
		until("the new data", func() bool { return c.data(root) == written })
		check(len(watch) == 1, "the data came before the event")
		ok(<-done)
	}
}
