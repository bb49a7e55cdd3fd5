/*
 * The C client (libzookeeper_mt) against the server in COMPAT_CONNECT.
 *
 * Each behaviour is a function that returns when all it asserts holds; the first assertion
 * that does not hold ends it, and it is reported as failed. Exit status 1 if any failed.
 */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

/* Longer than any wait for something that does happen. */
#define PATIENCE_MS 15000
#define SESSION_MS 6000
#define EVENTS_MAX 256
#define CLIENTS_MAX 8

static jmp_buf failed;
static char why[1024];

static void fail(int line, const char *format, ...)
{
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(why, sizeof why, "line %d: %s", line, text);
    longjmp(failed, 1);
}

#define CHECK(condition) \
    do { \
        if (!(condition)) \
            fail(__LINE__, "%s", #condition); \
    } while (0)

/* Asserts a result code, and tells both by name. */
#define CODE(expected, call) \
    do { \
        int got_ = (call); \
        if (got_ != (expected)) \
            fail(__LINE__, "%s: expected %s, got %s", #call, zerror(expected), zerror(got_)); \
    } while (0)

#define SAME(expected, actual) \
    do { \
        if (strcmp((expected), (actual)) != 0) \
            fail(__LINE__, "expected %s, got %s", (expected), (actual)); \
    } while (0)

/* Waits until a condition holds. */
#define UNTIL(condition) \
    do { \
        int left_ = PATIENCE_MS / 10; \
        while (!(condition)) { \
            if (left_-- == 0) \
                fail(__LINE__, "waited in vain for %s", #condition); \
            usleep(10000); \
        } \
    } while (0)

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

static struct client clients[CLIENTS_MAX];
static int clients_open;
static char root[64];

static void watcher(zhandle_t *zk, int type, int state, const char *path, void *context)
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

static int state_of(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    int state = client->state;
    pthread_mutex_unlock(&client->lock);
    return state;
}

static int connections_of(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    int connections = client->connections;
    pthread_mutex_unlock(&client->lock);
    return connections;
}

static int events_of(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    int events = client->events;
    pthread_mutex_unlock(&client->lock);
    return events;
}

static struct client *open_as(int session_ms, const clientid_t *id)
{
    CHECK(clients_open < CLIENTS_MAX);
    struct client *client = &clients[clients_open++];
    memset(client, 0, sizeof *client);
    pthread_mutex_init(&client->lock, NULL);
    client->zk = zookeeper_init(getenv("COMPAT_CONNECT"), watcher, session_ms, id, client, 0);
    CHECK(client->zk != NULL);
    return client;
}

static struct client *open_client(void)
{
    struct client *client = open_as(SESSION_MS, NULL);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
    return client;
}

static void close_all(void)
{
    while (clients_open > 0) {
        struct client *client = &clients[--clients_open];
        if (client->zk)
            zookeeper_close(client->zk);
        client->zk = NULL;
    }
}

/* Asserts the next event, counted from 0. */
static void event_is(struct client *client, int number, int type, const char *path)
{
    UNTIL(events_of(client) > number);
    pthread_mutex_lock(&client->lock);
    int got = client->event[number].type;
    char where[256];
    snprintf(where, sizeof where, "%s", client->event[number].path);
    pthread_mutex_unlock(&client->lock);
    if (got != type || strcmp(where, path) != 0)
        fail(__LINE__, "event %d: expected %d %s, got %d %s", number, type, path, got, where);
}

/* Has the test's owner drop connections, or kill and restart the server. */
static void order(const char *word)
{
    char control[64];
    snprintf(control, sizeof control, "%s", getenv("COMPAT_CONTROL"));
    char *colon = strrchr(control, ':');
    CHECK(colon != NULL);
    *colon = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
    CHECK(inet_pton(AF_INET, control, &address.sin_addr) == 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char answer[256] = "";
    int ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0
        && dprintf(fd, "%s\n", word) > 0;
    size_t length = 0;
    while (ok && !strchr(answer, '\n') && length < sizeof answer - 1) {
        ssize_t got = read(fd, answer + length, sizeof answer - 1 - length);
        ok = got > 0;
        length += ok ? got : 0;
    }
    close(fd);
    CHECK(ok);
    SAME("ok\n", answer);
}

/* A path below the behaviour's own. Good until eight more were made. */
static const char *in(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void make(struct client *client, const char *path, const char *data, int mode)
{
    CODE(ZOK, zoo_create(client->zk, path, data, (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, mode,
                         NULL, 0));
}

static void nodes(struct client *client)
{
    char made[256];
    struct Stat stat;
    CODE(ZOK, zoo_create2(client->zk, in("a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, made,
                          sizeof made, &stat));
    SAME(in("a"), made);
    CHECK(stat.version == 0 && stat.czxid == stat.mzxid && stat.dataLength == 3);
    char data[16];
    int length = sizeof data;
    CODE(ZOK, zoo_get(client->zk, in("a"), 0, data, &length, &stat));
    CHECK(length == 3 && memcmp(data, "one", 3) == 0);
    CODE(ZOK, zoo_set2(client->zk, in("a"), "two", 3, 0, &stat));
    CHECK(stat.version == 1 && stat.mzxid > stat.czxid);
    CODE(ZBADVERSION, zoo_set(client->zk, in("a"), "x", 1, 0));
    CODE(ZNODEEXISTS, zoo_create(client->zk, in("a"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    CODE(ZNONODE, zoo_create(client->zk, in("no/ne"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    make(client, in("a/b"), "", 0);
    struct String_vector children;
    CODE(ZOK, zoo_get_children2(client->zk, in("a"), 0, &children, &stat));
    CHECK(children.count == 1 && stat.numChildren == 1 && stat.cversion == 1);
    SAME("b", children.data[0]);
    deallocate_String_vector(&children);
    CODE(ZNOTEMPTY, zoo_delete(client->zk, in("a"), -1));
    CODE(ZOK, zoo_delete(client->zk, in("a/b"), 0));
    CODE(ZOK, zoo_delete(client->zk, in("a"), 1));
    CODE(ZNONODE, zoo_exists(client->zk, in("a"), 0, &stat));
    CODE(ZOK, zoo_create(client->zk, in("null"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    length = sizeof data;
    CODE(ZOK, zoo_get(client->zk, in("null"), 0, data, &length, &stat));
    CHECK(length == -1);
}

static void kinds(struct client *client)
{
    char made[256];
    struct Stat stat;
    CODE(ZOK, zoo_create(client->zk, in("s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                         ZOO_PERSISTENT_SEQUENTIAL, made, sizeof made));
    SAME(in("s-0000000000"), made);
    CODE(ZOK, zoo_create2(client->zk, in("e-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                          ZOO_EPHEMERAL_SEQUENTIAL, made, sizeof made, &stat));
    SAME(in("e-0000000001"), made);
    CHECK(stat.ephemeralOwner == zoo_client_id(client->zk)->client_id);
    CODE(ZNOCHILDRENFOREPHEMERALS, zoo_create(client->zk, in("e-0000000001/c"), "", 0,
                                              &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    CODE(ZOK, zoo_create2_ttl(client->zk, in("ttl"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                              ZOO_PERSISTENT_WITH_TTL, 400, made, sizeof made, &stat));
    CHECK(stat.ephemeralOwner == 0);
    CODE(ZOK, zoo_create2_ttl(client->zk, in("t-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                              ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 600000, made, sizeof made,
                              &stat));
    SAME(in("t-0000000003"), made);
    make(client, in("container"), "", ZOO_CONTAINER);
    make(client, in("container/c"), "", 0);
    CODE(ZOK, zoo_delete(client->zk, in("container/c"), -1));
    UNTIL(zoo_exists(client->zk, in("ttl"), 0, &stat) == ZNONODE);
    UNTIL(zoo_exists(client->zk, in("container"), 0, &stat) == ZNONODE);
    CODE(ZOK, zoo_exists(client->zk, made, 0, &stat));
    struct client *other = open_client();
    CODE(ZOK, zookeeper_close(client->zk));
    client->zk = NULL;
    CODE(ZNONODE, zoo_exists(other->zk, in("e-0000000001"), 0, &stat));
}

static void watches(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    struct String_vector children;
    char data[16];
    int length = sizeof data;
    CODE(ZNONODE, zoo_exists(client->zk, in("w"), 1, &stat));
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
    CODE(ZOK, zoo_get(client->zk, in("w"), 1, data, &length, &stat));
    CODE(ZOK, zoo_set(writer->zk, in("w"), "1", 1, -1));
    event_is(client, 1, ZOO_CHANGED_EVENT, in("w"));
    CODE(ZOK, zoo_set(writer->zk, in("w"), "2", 1, -1));
    CODE(ZOK, zoo_wget_children(client->zk, in("w"), watcher, client, &children));
    deallocate_String_vector(&children);
    make(writer, in("w/c"), "", 0);
    event_is(client, 2, ZOO_CHILD_EVENT, in("w"));
    CODE(ZOK, zoo_delete(writer->zk, in("w/c"), -1));
    CODE(ZOK, zoo_wexists(client->zk, in("w"), watcher, client, &stat));
    CODE(ZOK, zoo_delete(writer->zk, in("w"), -1));
    event_is(client, 3, ZOO_DELETED_EVENT, in("w"));
    CODE(ZNONODE, zoo_exists(client->zk, in("w"), 0, &stat));
    CHECK(events_of(client) == 4);
}

static void remove_watches(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    CODE(ZOK, zoo_wexists(client->zk, root, watcher, client, &stat));
    CODE(ZOK, zoo_remove_watches(client->zk, root, ZWATCHTYPE_DATA, watcher, client, 0));
    CODE(ZOK, zoo_set(writer->zk, root, "1", 1, -1));
    CODE(ZOK, zoo_exists(client->zk, root, 0, &stat));
    CODE(ZNOWATCHER, zoo_remove_watches(client->zk, root, ZWATCHTYPE_DATA, watcher, client, 0));
}

static void multi(struct client *client)
{
    char a[256], s[256], made[256];
    struct Stat stat;
    snprintf(a, sizeof a, "%s", in("a"));
    snprintf(s, sizeof s, "%s", in("a/s-"));
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    zoo_create_op_init(&ops[0], a, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
    zoo_check_op_init(&ops[1], a, 0);
    zoo_set_op_init(&ops[2], a, "2", 1, 0, &stat);
    char sequential[256];
    zoo_create_op_init(&ops[3], s, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, sequential,
                       sizeof sequential);
    zoo_delete_op_init(&ops[4], in("none"), -1);
    CODE(ZNONODE, zoo_multi(client->zk, 5, ops, results));
    CHECK(results[0].err == ZOK && results[3].err == ZOK && results[4].err == ZNONODE);
    CODE(ZNONODE, zoo_exists(client->zk, a, 0, &stat));
    CODE(ZOK, zoo_multi(client->zk, 4, ops, results));
    SAME(a, made);
    SAME(in("a/s-0000000000"), sequential);
    CHECK(stat.version == 1);
    zoo_check_op_init(&ops[0], a, 9);
    zoo_delete_op_init(&ops[1], a, -1);
    CODE(ZBADVERSION, zoo_multi(client->zk, 2, ops, results));
    CHECK(results[0].err == ZBADVERSION && results[1].err == ZRUNTIMEINCONSISTENCY);
}

/* What the asynchronous calls of a behaviour were answered, in order. */
static struct {
    pthread_mutex_t lock;
    int count;
    int codes[1024];
    long numbers[1024];
} answers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answered(int code, const void *data)
{
    pthread_mutex_lock(&answers.lock);
    if (answers.count < 1024) {
        answers.codes[answers.count] = code;
        answers.numbers[answers.count] = (long)data;
        answers.count++;
    }
    pthread_mutex_unlock(&answers.lock);
}

static int answers_count(void)
{
    pthread_mutex_lock(&answers.lock);
    int count = answers.count;
    pthread_mutex_unlock(&answers.lock);
    return count;
}

static void answered_string(int code, const char *value, const void *data)
{
    (void)value;
    answered(code, data);
}

static void answered_stat(int code, const struct Stat *stat, const void *data)
{
    (void)stat;
    answered(code, data);
}

static void answered_data(int code, const char *value, int length, const struct Stat *stat,
                          const void *data)
{
    (void)value, (void)length, (void)stat;
    answered(code, data);
}

static void answered_strings(int code, const struct String_vector *strings,
                             const struct Stat *stat, const void *data)
{
    (void)strings, (void)stat;
    answered(code, data);
}

static void answered_acl(int code, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
    (void)acl, (void)stat;
    answered(code, data);
}

static void asynchronous(struct client *client)
{
    zhandle_t *zk = client->zk;
    answers.count = 0;
    const char *path = in("async");
    long n = 0;
    for (int round = 0; round < 50; round++) {
        CODE(ZOK, zoo_acreate(zk, path, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, answered_string, (void *)n++));
        CODE(ZOK, zoo_aexists(zk, path, 0, answered_stat, (void *)n++));
        CODE(ZOK, zoo_aset(zk, path, "2", 1, 0, answered_stat, (void *)n++));
        CODE(ZOK, zoo_aget(zk, path, 0, answered_data, (void *)n++));
        CODE(ZOK, zoo_aget_children2(zk, root, 0, answered_strings, (void *)n++));
        CODE(ZOK, zoo_aget_acl(zk, path, answered_acl, (void *)n++));
        CODE(ZOK, zoo_async(zk, path, answered_string, (void *)n++));
        CODE(ZOK, zoo_adelete(zk, path, 1, answered, (void *)n++));
        CODE(ZOK, zoo_aexists(zk, path, 0, answered_stat, (void *)n++));
    }
    UNTIL(answers_count() == n);
    for (long i = 0; i < n; i++) {
        CHECK(answers.numbers[i] == i);
        CODE(i % 9 == 8 ? ZNONODE : ZOK, answers.codes[i]);
    }
}

static void acls(struct client *client)
{
    struct client *bob = open_client();
    struct Stat stat;
    char data[16];
    int length = sizeof data;
    answers.count = 0;
    CODE(ZOK, zoo_add_auth(client->zk, "digest", "alice:secret", 12, answered, NULL));
    UNTIL(answers_count() == 1);
    CODE(ZOK, answers.codes[0]);
    CODE(ZOK, zoo_create(client->zk, in("a"), "hers", 4, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    CODE(ZNOAUTH, zoo_get(bob->zk, in("a"), 0, data, &length, &stat));
    CODE(ZNOAUTH, zoo_set(bob->zk, in("a"), "x", 1, -1));
    CODE(ZINVALIDACL, zoo_create(bob->zk, in("b"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    struct ACL_vector acl;
    CODE(ZOK, zoo_get_acl(client->zk, in("a"), &acl, &stat));
    CHECK(acl.count == 1 && acl.data[0].perms == ZOO_PERM_ALL && stat.aversion == 0);
    SAME("digest", acl.data[0].id.scheme);
    deallocate_ACL_vector(&acl);
    CODE(ZOK, zoo_set_acl(client->zk, in("a"), 0, &ZOO_READ_ACL_UNSAFE));
    CODE(ZOK, zoo_get(bob->zk, in("a"), 0, data, &length, &stat));
    CHECK(stat.aversion == 1 && length == 4);
    CODE(ZNOAUTH, zoo_set_acl(bob->zk, in("a"), -1, &ZOO_OPEN_ACL_UNSAFE));
}

static void auth_failed(struct client *ignored)
{
    (void)ignored;
    struct client *client = open_client();
    answers.count = 0;
    CODE(ZOK, zoo_add_auth(client->zk, "nonsense", "x", 1, answered, NULL));
    UNTIL(answers_count() == 1);
    CODE(ZAUTHFAILED, answers.codes[0]);
    UNTIL(state_of(client) == ZOO_AUTH_FAILED_STATE);
}

static void reattach(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    struct String_vector children;
    int64_t session = zoo_client_id(client->zk)->client_id;
    answers.count = 0;
    CODE(ZOK, zoo_add_auth(client->zk, "digest", "alice:secret", 12, answered, NULL));
    UNTIL(answers_count() == 1);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    CODE(ZOK, zoo_create(client->zk, in("hers"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    CODE(ZNONODE, zoo_exists(client->zk, in("w"), 1, &stat));
    CODE(ZOK, zoo_get_children(client->zk, root, 1, &children));
    deallocate_String_vector(&children);
    order("drop");
    UNTIL(connections_of(client) == 2 && connections_of(writer) == 2);
    CHECK(zoo_client_id(client->zk)->client_id == session);
    CODE(ZOK, zoo_exists(client->zk, in("e"), 0, &stat));
    CHECK(stat.ephemeralOwner == session);
    /* The client proved again who it is, and set its watches again. */
    CODE(ZOK, zoo_set(client->zk, in("hers"), "x", 1, -1));
    CHECK(events_of(client) == 0);
    make(writer, in("w"), "", 0);
    UNTIL(events_of(client) == 2);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
    event_is(client, 1, ZOO_CHILD_EVENT, root);
}

static void restart(struct client *ignored)
{
    (void)ignored;
    struct client *client = open_as(30000, NULL);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
    struct Stat before, after;
    make(client, in("e"), "kept", ZOO_EPHEMERAL);
    CODE(ZOK, zoo_exists(client->zk, in("e"), 1, &before));
    order("restart");
    UNTIL(connections_of(client) == 2);
    CODE(ZOK, zoo_exists(client->zk, in("e"), 1, &after));
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CODE(ZOK, zoo_set(client->zk, in("e"), "new", 3, 0));
    event_is(client, 0, ZOO_CHANGED_EVENT, in("e"));
}

static void client_id(struct client *client)
{
    struct Stat stat;
    clientid_t id = *zoo_client_id(client->zk);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    struct client *second = open_as(SESSION_MS, &id);
    UNTIL(state_of(second) == ZOO_CONNECTED_STATE);
    CHECK(zoo_client_id(second->zk)->client_id == id.client_id);
    /* The first client comes back for its session, and either may hold it at a time. */
    UNTIL(zoo_exists(second->zk, in("e"), 0, &stat) == ZOK);
    CHECK(stat.ephemeralOwner == id.client_id);
    memset(id.passwd, 7, sizeof id.passwd);
    struct client *thief = open_as(SESSION_MS, &id);
    UNTIL(state_of(thief) == ZOO_EXPIRED_SESSION_STATE);
}

static void expired(struct client *other)
{
    struct client *client = open_as(1000, NULL);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
    CHECK(zoo_recv_timeout(client->zk) == 1000);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    order("close");
    char expired[64];
    snprintf(expired, sizeof expired, "expired 0x%llx",
             (unsigned long long)zoo_client_id(client->zk)->client_id);
    order(expired);
    order("open");
    UNTIL(state_of(client) == ZOO_EXPIRED_SESSION_STATE);
    UNTIL(connections_of(other) == 2);
    struct Stat stat;
    CODE(ZNONODE, zoo_exists(other->zk, in("e"), 0, &stat));
}

static void large(struct client *client)
{
    int length = 1000000;
    char *data = calloc(1, length);
    int created = zoo_create(client->zk, in("large"), data, length, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    int got = zoo_get(client->zk, in("large"), 0, data, &length, NULL);
    free(data);
    CODE(ZOK, created);
    CODE(ZOK, got);
    CHECK(length == 1000000);
}

static const struct {
    const char *title;
    void (*run)(struct client *);
} behaviours[] = {
    {"create, read, update, list and delete a node", nodes},
    {"sequences, ephemerals, containers, TTL nodes", kinds},
    {"one-shot watches for each kind of change", watches},
    {"watches are removed", remove_watches},
    {"multi commits or fails as one", multi},
    {"asynchronous requests are answered in order", asynchronous},
    {"ACLs with digest users", acls},
    {"an unknown scheme ends in AUTH_FAILED", auth_failed},
    {"session, watches and identity survive a broken connection", reattach},
    {"the session survives kill -9 of the server", restart},
    {"a session is taken over with its client id", client_id},
    {"an expired session is told so", expired},
    {"large data", large},
};

int main(int argc, char **argv)
{
    zoo_set_debug_level(0);
    int count = 0, held = 0;
    for (size_t i = 0; i < sizeof behaviours / sizeof behaviours[0]; i++) {
        if (argc > 1 && !strstr(behaviours[i].title, argv[1]))
            continue;
        struct timespec began, ended;
        clock_gettime(CLOCK_MONOTONIC, &began);
        volatile int ok = 0;
        if (setjmp(failed) == 0) {
            struct client *client = open_client();
            snprintf(root, sizeof root, "/c-%zu", i);
            make(client, root, "", 0);
            behaviours[i].run(client);
            ok = 1;
        }
        close_all();
        clock_gettime(CLOCK_MONOTONIC, &ended);
        double took = (ended.tv_sec - began.tv_sec) + (ended.tv_nsec - began.tv_nsec) / 1e9;
        printf("%s c: %s (%.1f s)\n", ok ? "ok  " : "FAIL", behaviours[i].title, took);
        if (!ok)
            printf("%s\n", why);
        fflush(stdout);
        count++;
        held += ok;
    }
    printf("c: %d of %d behaviours hold\n", held, count);
    return held == count ? 0 : 1;
}
