/*
 * Clients and what they are asked. A call that starts with `try_` returns the library's code; the
 * others assert that it is ZOK.
 */

#ifndef CLIENT_H
#define CLIENT_H

#include <pthread.h>
#include <stdint.h>
#include <zookeeper/zookeeper.h>

/* What the lone server is asked for, unless a behaviour is about it. */
#define SESSION_MS 6000
#define EVENTS_MAX 256
#define ANSWERS_MAX 1024

/* A client and what its watcher was told. The lock guards all but the handle. */
struct client {
    zhandle_t *zk;
    pthread_mutex_t lock;
    int state;
    int connections;
    int events;
    struct {
        int type;
        char path[256];
    } event[EVENTS_MAX];
};

/* A client that may not be connected yet; all are closed when their behaviour ends. */
struct client *open_at(const char *servers, int session_ms, const clientid_t *id, int flags);
struct client *open_as(int session_ms, const clientid_t *id);
/* Clients that are connected: of the lone server, and of the three. */
struct client *open_client(void);
struct client *open_for(int session_ms);
struct client *open_ensemble(int session_ms, int flags);
void close_client(struct client *client);
void close_all(void);

/* What the watcher was told so far: a state, how often it was `connected`, how many events. */
int state_of(struct client *client);
int connections_of(struct client *client);
int events_of(struct client *client);
/* Waits until a client was connected a second time, and has its session still. */
void is_back(struct client *client);
/* Asserts the next event, counted from 0. */
void event_is(struct client *client, int number, int type, const char *path);
/* The watcher of every client; its context is the client. */
void watcher(zhandle_t *zk, int type, int state, const char *path, void *client);

int64_t session_of(struct client *client);

/* Whether a read sets a watch, which tells the client's watcher. */
enum watch { NO_WATCH, WATCH };

int try_create(struct client *client, const char *path, const char *data, int mode);
int try_create_with(struct client *client, const char *path, const char *data,
                    const struct ACL_vector *acl);
void make(struct client *client, const char *path, const char *data, int mode);
int try_get(struct client *client, const char *path, enum watch watch);
int try_set(struct client *client, const char *path, const char *data, int version);
int try_exists(struct client *client, const char *path, enum watch watch);
int try_delete(struct client *client, const char *path, int version);
/* Lists the children, and drops their names. */
int try_list(struct client *client, const char *path, enum watch watch);

struct Stat stat_of(struct client *client, const char *path);
/* Whether two Stats are the same; they have gaps that say nothing. */
int same_stat(const struct Stat *a, const struct Stat *b);
void data_is(struct client *client, const char *path, const char *expected);
void owner_is(struct client *client, const char *path, int64_t session);
/* Proves to the server who a client is; returns its answer. */
int authenticate(struct client *client, const char *scheme, const char *who);

/* What the asynchronous calls of a behaviour were answered, in order. */
extern struct answers {
    pthread_mutex_t lock;
    int count;
    int codes[ANSWERS_MAX];
    long numbers[ANSWERS_MAX];
} answers;

int answers_count(void);
/* The callbacks of asynchronous calls; they keep the code, and their context as a number. */
void answered(int code, const void *number);
void answered_string(int code, const char *value, const void *number);
void answered_stat(int code, const struct Stat *stat, const void *number);
void answered_data(int code, const char *value, int length, const struct Stat *stat,
                   const void *number);
void answered_strings(int code, const struct String_vector *strings, const struct Stat *stat,
                      const void *number);
void answered_acl(int code, struct ACL_vector *acl, struct Stat *stat, const void *number);

#endif
