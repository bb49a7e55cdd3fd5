/*
 * Three servers: that a session goes on when one is killed, that one alone serves readers, and
 * that the members are read and given anew. Each behaviour has the three started first; no member
 * is really added or removed.
 */

#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "harness.h"

/* Creates a znode, again and again while connections break. */
static void insist(struct client *client, const char *path, int mode)
{
    int repeated = 0, code;
    for (int left = 1200;; left--) {
        code = try_create(client, path, "", mode);
        if (code != ZCONNECTIONLOSS && code != ZOPERATIONTIMEOUT)
            break;
        CHECK(left > 0);
        repeated = 1;
        usleep(50000);
    }
    if (!(repeated && code == ZNODEEXISTS))
        CODE(ZOK, code);
}

/* Has a server killed between writes; the session and its ephemeral outlive it. */
static void outlives(const char *kill, struct client *client)
{
    char name[16];
    int64_t session = session_of(client);
    make(client, root, "", 0);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    for (int number = 0; number < 10; number++) {
        if (number == 5)
            order(kill);
        snprintf(name, sizeof name, "%d", number);
        insist(client, in(name), 0);
    }
    CHECK(session_of(client) == session);
    owner_is(client, in("e"), session);
    CHECK(stat_of(client, root).numChildren == 11);
}

static void server_killed(struct client *ignored)
{
    (void)ignored;
    char kill[64];
    order("ensemble");
    struct client *client = open_ensemble(30000, 0);
    snprintf(kill, sizeof kill, "kill-server-of 0x%llx", (unsigned long long)session_of(client));
    outlives(kill, client);
}

static void leader_killed(struct client *ignored)
{
    (void)ignored;
    order("ensemble");
    outlives("kill-leader", open_ensemble(30000, 0));
}

static void read_only(struct client *ignored)
{
    (void)ignored;
    order("ensemble");
    struct client *writer = open_ensemble(SESSION_MS, 0);
    make(writer, root, "data", 0);
    close_client(writer);
    order("leave-one");
    struct client *client = open_ensemble(SESSION_MS, ZOO_READONLY);
    CHECK(state_of(client) == ZOO_READONLY_STATE);
    data_is(client, root, "data");
    CODE(ZNOTREADONLY, try_create(client, in("a"), "", 0));
    order("ensemble");
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
    insist(client, in("a"), ZOO_EPHEMERAL);
}

/* What is kept of the members, as text. */
struct configuration {
    char text[1024];
};

static struct configuration configuration_of(struct client *client)
{
    struct configuration members;
    struct Stat stat;
    int length = sizeof members.text - 1;
    CODE(ZOK, zoo_getconfig(client->zk, NO_WATCH, members.text, &length, &stat));
    CHECK(length > 0);
    members.text[length] = 0;
    return members;
}

static void config_get(struct client *ignored)
{
    (void)ignored;
    order("ensemble");
    struct configuration members = configuration_of(open_ensemble(SESSION_MS, 0));
    CHECK(strstr(members.text, "server.1=") && strstr(members.text, "server.3="));
    CHECK(strstr(members.text, "version="));
}

/* Gives a member's line anew, if the configuration has that version; keeps what is answered. */
static int try_reconfig(struct client *client, const char *line, int64_t version,
                        struct configuration *members)
{
    struct Stat stat;
    int length = sizeof members->text - 1;
    int code = zoo_reconfig(client->zk, line, NULL, NULL, version, members->text, &length, &stat);
    if (code == ZOK)
        members->text[length] = 0;
    return code;
}

static void reconfig(struct client *ignored)
{
    (void)ignored;
    order("ensemble");
    struct client *client = open_ensemble(SESSION_MS, 0);
    struct configuration members = configuration_of(client);
    char line[256];
    const char *third = strstr(members.text, "server.3=");
    CHECK(third != NULL);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(third, "\n"), third);
    CODE(ZNOAUTH, try_reconfig(client, line, -1, &members));
    CODE(ZOK, authenticate(client, "digest", "super:test"));
    CODE(ZOK, try_reconfig(client, line, -1, &members));
    CHECK(strstr(members.text, line));
    int64_t version = strtoll(strstr(members.text, "version=") + 8, NULL, 16);
    CODE(ZOK, try_reconfig(client, line, version, &members));
    CODE(ZBADVERSION, try_reconfig(client, line, version, &members));
}

const struct behaviour ensemble[] = {
    {"server-killed", server_killed},
    {"leader-killed", leader_killed},
    {"read-only", read_only},
    {"config-get", config_get},
    {"reconfig", reconfig},
    {NULL, NULL},
};
