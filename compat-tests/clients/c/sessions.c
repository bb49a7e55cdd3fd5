/*
 * Sessions with one server: how they begin and end, and what they survive. A session that goes on
 * with another server is in ensemble.c.
 */

#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "harness.h"

static void connects(struct client *client)
{
    CHECK(session_of(client) != 0);
    CHECK(zoo_recv_timeout(client->zk) == SESSION_MS);
    struct client *hasty = open_as(100, NULL), *patient = open_as(500000, NULL);
    UNTIL(state_of(hasty) == ZOO_CONNECTED_STATE && state_of(patient) == ZOO_CONNECTED_STATE);
    CHECK(zoo_recv_timeout(hasty->zk) == 1000 && zoo_recv_timeout(patient->zk) == 60000);
}

static void session_kept(struct client *client)
{
    int64_t session = session_of(client);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    order("drop");
    is_back(client);
    CHECK(session_of(client) == session);
    owner_is(client, in("e"), session);
}

static void session_restart(struct client *ignored)
{
    (void)ignored;
    struct client *client = open_for(30000);
    struct Stat before, after;
    make(client, in("e"), "kept", ZOO_EPHEMERAL);
    CODE(ZOK, zoo_exists(client->zk, in("e"), WATCH, &before));
    order("restart");
    is_back(client);
    CODE(ZOK, zoo_exists(client->zk, in("e"), WATCH, &after));
    CHECK(same_stat(&before, &after));
    CODE(ZOK, try_set(client, in("e"), "new", 0));
    event_is(client, 0, ZOO_CHANGED_EVENT, in("e"));
}

static void session_close(struct client *client)
{
    struct client *other = open_client();
    make(client, in("e"), "", ZOO_EPHEMERAL);
    CODE(ZOK, try_exists(other, in("e"), WATCH));
    close_client(client);
    event_is(other, 0, ZOO_DELETED_EVENT, in("e"));
    CODE(ZNONODE, try_exists(other, in("e"), NO_WATCH));
}

static void session_expired(struct client *other)
{
    struct client *client = open_for(1000);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    order("close");
    char expired[64];
    snprintf(expired, sizeof expired, "expired 0x%llx", (unsigned long long)session_of(client));
    order(expired);
    order("open");
    UNTIL(state_of(client) == ZOO_EXPIRED_SESSION_STATE);
    is_back(other);
    CODE(ZNONODE, try_exists(other, in("e"), NO_WATCH));
}

static void session_takeover(struct client *client)
{
    clientid_t id = *zoo_client_id(client->zk);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    struct client *second = open_as(SESSION_MS, &id);
    UNTIL(state_of(second) == ZOO_CONNECTED_STATE);
    CHECK(session_of(second) == id.client_id);
    /* The first client comes back for its session, and either may hold it at a time. */
    struct Stat stat;
    UNTIL(zoo_exists(second->zk, in("e"), NO_WATCH, &stat) == ZOK);
    CHECK(stat.ephemeralOwner == id.client_id);
    memset(id.passwd, 7, sizeof id.passwd);
    struct client *thief = open_as(SESSION_MS, &id);
    UNTIL(state_of(thief) == ZOO_EXPIRED_SESSION_STATE);
}

static void chrooted(struct client *outside)
{
    char where[256];
    snprintf(where, sizeof where, "%s%s", getenv("COMPAT_CONNECT"), root);
    struct client *inside = open_at(where, SESSION_MS, NULL, 0);
    UNTIL(state_of(inside) == ZOO_CONNECTED_STATE);
    make(inside, "/in", "", 0);
    CODE(ZOK, try_get(inside, "/in", WATCH));
    CODE(ZOK, try_set(outside, in("in"), "1", -1));
    event_is(inside, 0, ZOO_CHANGED_EVENT, "/in");
}

const struct behaviour sessions[] = {
    {"connect", connects},
    {"session-kept", session_kept},
    {"session-restart", session_restart},
    {"session-close", session_close},
    {"session-expired", session_expired},
    {"session-takeover", session_takeover},
    {"chroot", chrooted},
    {NULL, NULL},
};
