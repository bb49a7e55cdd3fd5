/*
 * Clients: how they are opened and closed, and what their watchers were told. Only that they
 * connect, and which event comes next, is asserted here.
 */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define CLIENTS_MAX 8

static struct client clients[CLIENTS_MAX];
static int clients_open;

void watcher(zhandle_t *zk, int type, int state, const char *path, void *context)
{
    (void)zk;
    struct client *client = context;
    pthread_mutex_lock(&client->lock);
    if (type == ZOO_SESSION_EVENT) {
        client->state = state;
        client->connections += state == ZOO_CONNECTED_STATE;
    } else if (client->events < EVENTS_MAX) {
        client->event[client->events].type = type;
        snprintf(client->event[client->events].path, sizeof client->event[0].path, "%s", path);
        client->events++;
    }
    pthread_mutex_unlock(&client->lock);
}

/* Reads a number of a client that its watcher writes. */
static int guarded(struct client *client, const int *number)
{
    pthread_mutex_lock(&client->lock);
    int value = *number;
    pthread_mutex_unlock(&client->lock);
    return value;
}

int state_of(struct client *client)
{
    return guarded(client, &client->state);
}

int connections_of(struct client *client)
{
    return guarded(client, &client->connections);
}

int events_of(struct client *client)
{
    return guarded(client, &client->events);
}

int64_t session_of(struct client *client)
{
    return zoo_client_id(client->zk)->client_id;
}

struct client *open_at(const char *servers, int session_ms, const clientid_t *id, int flags)
{
    CHECK(clients_open < CLIENTS_MAX);
    struct client *client = &clients[clients_open++];
    memset(client, 0, sizeof *client);
    pthread_mutex_init(&client->lock, NULL);
    client->zk = zookeeper_init(servers, watcher, session_ms, id, client, flags);
    CHECK(client->zk != NULL);
    return client;
}

struct client *open_as(int session_ms, const clientid_t *id)
{
    return open_at(getenv("COMPAT_CONNECT"), session_ms, id, 0);
}

struct client *open_for(int session_ms)
{
    struct client *client = open_as(session_ms, NULL);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
    return client;
}

struct client *open_client(void)
{
    return open_for(SESSION_MS);
}

struct client *open_ensemble(int session_ms, int flags)
{
    struct client *client = open_at(getenv("COMPAT_ENSEMBLE"), session_ms, NULL, flags);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE || state_of(client) == ZOO_READONLY_STATE);
    return client;
}

void close_client(struct client *client)
{
    CODE(ZOK, zookeeper_close(client->zk));
    client->zk = NULL;
}

void close_all(void)
{
    while (clients_open > 0) {
        struct client *client = &clients[--clients_open];
        if (client->zk)
            zookeeper_close(client->zk);
        client->zk = NULL;
    }
}

void is_back(struct client *client)
{
    UNTIL(connections_of(client) == 2);
}

void event_is(struct client *client, int number, int type, const char *path)
{
    UNTIL(events_of(client) > number);
    pthread_mutex_lock(&client->lock);
    int got = client->event[number].type;
    char where[256];
    snprintf(where, sizeof where, "%s", client->event[number].path);
    pthread_mutex_unlock(&client->lock);
    if (got != type || strcmp(where, path) != 0)
        fail(__FILE__, __LINE__, "event %d: expected %d %s, got %d %s", number, type, path, got,
             where);
}
