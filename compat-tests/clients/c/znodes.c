/*
 * Znodes of one client: that they are created in every mode, read, changed, listed and deleted,
 * that errors have their codes, and that data and names of any size and alphabet pass. Who may do
 * so is in access.c, what others are told of it in watches.c.
 */

#include <stdio.h>

#include "client.h"
#include "harness.h"

/* A znode without data, which is less than empty data. */
static int try_create_null(struct client *client, const char *path)
{
    return zoo_create(client->zk, path, NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
}

/* Creates a znode, and asserts the path that is returned. */
static void make_as(struct client *client, const char *path, const char *data, int mode,
                    const char *expected)
{
    char made[256];
    CODE(ZOK, zoo_create(client->zk, path, data, (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, mode,
                         made, sizeof made));
    SAME(expected, made);
}

/* The Stat that comes with the data. */
static struct Stat read_stat(struct client *client, const char *path)
{
    char data[16];
    int length = sizeof data;
    struct Stat stat;
    CODE(ZOK, zoo_get(client->zk, path, NO_WATCH, data, &length, &stat));
    return stat;
}

static void create(struct client *client)
{
    make_as(client, in("a"), "one", 0, in("a"));
}

static void create_ephemeral(struct client *client)
{
    make(client, in("e"), "", ZOO_EPHEMERAL);
    owner_is(open_client(), in("e"), session_of(client));
    CODE(ZNOCHILDRENFOREPHEMERALS, try_create(client, in("e/c"), "", 0));
}

static void create_sequential(struct client *client)
{
    make_as(client, in("s-"), "", ZOO_PERSISTENT_SEQUENTIAL, in("s-0000000000"));
    make(client, in("plain"), "", 0);
    make_as(client, in("e-"), "", ZOO_EPHEMERAL_SEQUENTIAL, in("e-0000000002"));
}

static void create_stat(struct client *client)
{
    char made[256];
    struct Stat stat;
    CODE(ZOK, zoo_create2(client->zk, in("a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, made,
                          sizeof made, &stat));
    SAME(in("a"), made);
    CHECK(stat.version == 0 && stat.czxid == stat.mzxid && stat.dataLength == 3);
    struct Stat read = read_stat(client, in("a"));
    CHECK(same_stat(&stat, &read));
    CODE(ZOK, zoo_create2(client->zk, in("e"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, made,
                          sizeof made, &stat));
    CHECK(stat.ephemeralOwner == session_of(client));
}

static void container(struct client *client)
{
    make(client, in("container"), "", ZOO_CONTAINER);
    make(client, in("container/c"), "", 0);
    CODE(ZOK, try_delete(client, in("container/c"), -1));
    UNTIL(try_exists(client, in("container"), NO_WATCH) == ZNONODE);
}

static void ttl(struct client *client)
{
    char made[256];
    struct Stat stat;
    CODE(ZOK, zoo_create2_ttl(client->zk, in("ttl"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                              ZOO_PERSISTENT_WITH_TTL, 400, made, sizeof made, &stat));
    CHECK(stat.ephemeralOwner == 0);
    CODE(ZOK, zoo_create2_ttl(client->zk, in("t-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                              ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 600000, made, sizeof made,
                              &stat));
    SAME(in("t-0000000001"), made);
    UNTIL(try_exists(client, in("ttl"), NO_WATCH) == ZNONODE);
    CODE(ZOK, try_exists(client, made, NO_WATCH));
}

static void get_set(struct client *client)
{
    make(client, in("a"), "one", 0);
    data_is(client, in("a"), "one");
    struct Stat stat = read_stat(client, in("a"));
    CHECK(stat.version == 0 && stat.czxid == stat.mzxid && stat.dataLength == 3);
    CODE(ZOK, zoo_set2(client->zk, in("a"), "two", 3, 0, &stat));
    CHECK(stat.version == 1 && stat.mzxid > stat.czxid);
    data_is(client, in("a"), "two");
}

static void exists(struct client *client)
{
    CODE(ZNONODE, try_exists(client, in("none"), NO_WATCH));
    struct Stat stat = stat_of(client, root), read = read_stat(client, root);
    CHECK(same_stat(&stat, &read));
}

static void delete(struct client *client)
{
    make(client, in("a"), "", 0);
    make(client, in("a/b"), "", 0);
    CODE(ZNOTEMPTY, try_delete(client, in("a"), -1));
    CODE(ZOK, try_delete(client, in("a/b"), -1));
    CODE(ZOK, try_delete(client, in("a"), -1));
    CODE(ZNONODE, try_exists(client, in("a"), NO_WATCH));
}

static void children(struct client *client)
{
    struct String_vector names;
    CODE(ZOK, zoo_get_children(client->zk, root, NO_WATCH, &names));
    CHECK(names.count == 0);
    deallocate_String_vector(&names);
    make(client, in("a"), "", 0);
    make(client, in("b"), "", 0);
    CODE(ZOK, zoo_get_children(client->zk, root, NO_WATCH, &names));
    CHECK(names.count == 2 && strcmp(names.data[0], names.data[1]) != 0);
    deallocate_String_vector(&names);
}

static void children_stat(struct client *client)
{
    struct Stat stat;
    struct String_vector names;
    make(client, in("b"), "", 0);
    CODE(ZOK, zoo_get_children2(client->zk, root, NO_WATCH, &names, &stat));
    CHECK(names.count == 1 && stat.numChildren == 1 && stat.cversion == 1);
    SAME("b", names.data[0]);
    deallocate_String_vector(&names);
}

static void bad_version(struct client *client)
{
    make(client, in("a"), "", 0);
    CODE(ZBADVERSION, try_set(client, in("a"), "x", 1));
    CODE(ZBADVERSION, try_delete(client, in("a"), 7));
    CODE(ZOK, try_delete(client, in("a"), 0));
}

static void node_errors(struct client *client)
{
    CODE(ZNODEEXISTS, try_create_null(client, root));
    CODE(ZNONODE, try_get(client, in("none"), NO_WATCH));
    CODE(ZNONODE, try_set(client, in("none"), "", -1));
    CODE(ZNONODE, try_delete(client, in("none"), -1));
    CODE(ZNONODE, try_list(client, in("none"), NO_WATCH));
    CODE(ZNONODE, try_create_null(client, in("no/ne")));
}

static void data_empty(struct client *client)
{
    char data[16];
    int length = sizeof data;
    CODE(ZOK, try_create_null(client, in("null")));
    CODE(ZOK, zoo_get(client->zk, in("null"), NO_WATCH, data, &length, NULL));
    CHECK(length == -1);
    length = sizeof data;
    make(client, in("empty"), "", 0);
    CODE(ZOK, zoo_get(client->zk, in("empty"), NO_WATCH, data, &length, NULL));
    CHECK(length == 0);
}

/* Data of any size; too large for the stack, and nothing but zeros is read into it. */
static char zeros[1100000];

static int try_create_zeros(struct client *client, const char *path, int length)
{
    return zoo_create(client->zk, path, zeros, length, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
}

static void data_large(struct client *client)
{
    int length = 1000000;
    CODE(ZOK, try_create_zeros(client, in("large"), length));
    CODE(ZOK, zoo_get(client->zk, in("large"), NO_WATCH, zeros, &length, NULL));
    CHECK(length == 1000000);
}

static void data_too_large(struct client *client)
{
    int64_t session = session_of(client);
    CODE(ZCONNECTIONLOSS, try_create_zeros(client, in("big"), 1100000));
    is_back(client);
    CODE(ZNONODE, try_exists(client, in("big"), NO_WATCH));
    CHECK(session_of(client) == session);
}

static void unicode(struct client *client)
{
    struct String_vector names;
    make(client, in("ünïcode-日本"), "ünï", 0);
    data_is(client, in("ünïcode-日本"), "ünï");
    CODE(ZOK, zoo_get_children(client->zk, root, NO_WATCH, &names));
    SAME("ünïcode-日本", names.data[0]);
    deallocate_String_vector(&names);
}

static void quota(struct client *client)
{
    char place[128], path[256], data[256] = "";
    int length = sizeof data - 1;
    snprintf(place, sizeof place, "/zookeeper/quota%s", root);
    make(client, place, "", 0);
    snprintf(path, sizeof path, "%s/zookeeper_limits", place);
    make(client, path, "count=5,bytes=-1", 0);
    snprintf(path, sizeof path, "%s/zookeeper_stats", place);
    make(client, path, "count=1,bytes=0", 0);
    make(client, in("a"), "12345", 0);
    CODE(ZOK, zoo_get(client->zk, path, NO_WATCH, data, &length, NULL));
    data[15] = 0;
    SAME("count=2,bytes=5", data);
}

const struct behaviour znodes[] = {
    {"create", create},
    {"create-ephemeral", create_ephemeral},
    {"create-sequential", create_sequential},
    {"create-stat", create_stat},
    {"container", container},
    {"ttl", ttl},
    {"get-set", get_set},
    {"exists", exists},
    {"delete", delete},
    {"children", children},
    {"children-stat", children_stat},
    {"bad-version", bad_version},
    {"node-errors", node_errors},
    {"data-empty", data_empty},
    {"data-large", data_large},
    {"data-too-large", data_too_large},
    {"unicode", unicode},
    {"quota", quota},
    {NULL, NULL},
};
