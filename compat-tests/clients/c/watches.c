/*
 * Watches: that each kind tells of what it is for, once and before the data, also what happens
 * while the client is away. The library has no persistent ones.
 */

#include <stdio.h>

#include "client.h"
#include "harness.h"

static void watch_data(struct client *client)
{
    struct client *writer = open_client();
    make(writer, in("w"), "", 0);
    CODE(ZOK, try_get(client, in("w"), WATCH));
    CODE(ZOK, try_set(writer, in("w"), "1", -1));
    event_is(client, 0, ZOO_CHANGED_EVENT, in("w"));
    CODE(ZOK, try_get(client, in("w"), WATCH));
    CODE(ZOK, try_delete(writer, in("w"), -1));
    event_is(client, 1, ZOO_DELETED_EVENT, in("w"));
}

static void watch_exists(struct client *client)
{
    struct Stat stat;
    struct client *writer = open_client();
    CODE(ZNONODE, try_exists(client, in("w"), WATCH));
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
    CODE(ZOK, zoo_wexists(client->zk, in("w"), watcher, client, &stat));
    CODE(ZOK, try_delete(writer, in("w"), -1));
    event_is(client, 1, ZOO_DELETED_EVENT, in("w"));
}

static void watch_children(struct client *client)
{
    struct String_vector names;
    struct client *writer = open_client();
    CODE(ZOK, zoo_wget_children(client->zk, root, watcher, client, &names));
    deallocate_String_vector(&names);
    make(writer, in("c"), "", 0);
    event_is(client, 0, ZOO_CHILD_EVENT, root);
    CODE(ZOK, try_list(client, root, WATCH));
    CODE(ZOK, try_delete(writer, in("c"), -1));
    event_is(client, 1, ZOO_CHILD_EVENT, root);
}

static void watch_once(struct client *client)
{
    struct client *writer = open_client();
    CODE(ZOK, try_get(client, root, WATCH));
    CODE(ZOK, try_set(writer, root, "1", -1));
    CODE(ZOK, try_set(writer, root, "2", -1));
    event_is(client, 0, ZOO_CHANGED_EVENT, root);
    CODE(ZOK, try_exists(client, root, NO_WATCH));
    CHECK(events_of(client) == 1);
}

/* How many events had come when the newest data did; -1 while it is another's. */
static int events_before;
static char awaited[16];

static void newest(int code, const char *value, int length, const struct Stat *stat,
                   const void *data)
{
    (void)stat;
    const struct client *client = data;
    if (code == ZOK && length == (int)strlen(awaited) && memcmp(value, awaited, length) == 0)
        events_before = events_of((struct client *)client);
    answered(code, NULL);
}

static void answered_set(int code, const struct Stat *stat, const void *data)
{
    (void)code, (void)stat, (void)data;
}

static void watch_first(struct client *client)
{
    struct client *writer = open_client();
    for (int round = 0; round < 50; round++) {
        CODE(ZOK, try_get(client, root, WATCH));
        events_before = -1;
        snprintf(awaited, sizeof awaited, "%d", round);
        CODE(ZOK, zoo_aset(writer->zk, root, awaited, (int)strlen(awaited), -1, answered_set,
                           NULL));
        while (events_before < 0) {
            answers.count = 0;
            CODE(ZOK, zoo_aget(client->zk, root, NO_WATCH, newest, client));
            UNTIL(answers_count() > 0);
        }
        /* Events and answers come on one thread, in the order of their arrival. */
        CHECK(events_before == round + 1);
    }
}

static int try_remove_watch(struct client *client)
{
    return zoo_remove_watches(client->zk, root, ZWATCHTYPE_DATA, watcher, client, 0);
}

static void watch_remove(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    CODE(ZOK, zoo_wexists(client->zk, root, watcher, client, &stat));
    CODE(ZOK, try_remove_watch(client));
    CODE(ZOK, try_set(writer, root, "1", -1));
    CODE(ZOK, try_exists(client, root, NO_WATCH));
    CHECK(events_of(client) == 0);
    CODE(ZNOWATCHER, try_remove_watch(client));
}

static void watch_again(struct client *client)
{
    struct client *writer = open_client();
    CODE(ZNONODE, try_exists(client, in("w"), WATCH));
    CODE(ZOK, try_list(client, root, WATCH));
    order("drop");
    is_back(client);
    is_back(writer);
    CODE(ZOK, try_exists(client, root, NO_WATCH));
    CHECK(events_of(client) == 0);
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
    event_is(client, 1, ZOO_CHILD_EVENT, root);
}

static void watch_missed(struct client *client)
{
    struct client *writer = open_client();
    CODE(ZNONODE, try_exists(client, in("w"), WATCH));
    order("drop");
    is_back(writer);
    /* Before or after the watcher is back: it is told in any case. */
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
}

const struct behaviour watches[] = {
    {"watch-data", watch_data},
    {"watch-exists", watch_exists},
    {"watch-children", watch_children},
    {"watch-once", watch_once},
    {"watch-first", watch_first},
    {"watch-persistent", NULL},
    {"watch-recursive", NULL},
    {"watch-remove", watch_remove},
    {"watch-again", watch_again},
    {"watch-missed", watch_missed},
    {NULL, NULL},
};
