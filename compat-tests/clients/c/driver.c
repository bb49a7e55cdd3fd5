/*
 * Asks the C client (libzookeeper_mt) for the behaviours of behaviours.txt.
 *
 * Each behaviour is a function that returns when all it asserts holds; the first assertion
 * that does not hold ends it, and it is reported as failed.
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

static struct client *open_at(const char *servers, int session_ms, const clientid_t *id, int flags)
{
    CHECK(clients_open < CLIENTS_MAX);
    struct client *client = &clients[clients_open++];
    memset(client, 0, sizeof *client);
    pthread_mutex_init(&client->lock, NULL);
    client->zk = zookeeper_init(servers, watcher, session_ms, id, client, flags);
    CHECK(client->zk != NULL);
    return client;
}

static struct client *open_as(int session_ms, const clientid_t *id)
{
    return open_at(getenv("COMPAT_CONNECT"), session_ms, id, 0);
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

/* Proves to the server who a client is, and waits for its answer. */
static int authenticate(struct client *client, const char *scheme, const char *who)
{
    answers.count = 0;
    CODE(ZOK, zoo_add_auth(client->zk, scheme, who, (int)strlen(who), answered, NULL));
    UNTIL(answers_count() == 1);
    return answers.codes[0];
}

static int get(struct client *client, const char *path, int watch, char *data, int size,
               struct Stat *stat)
{
    int length = size - 1;
    int code = zoo_get(client->zk, path, watch, data, &length, stat);
    data[code == ZOK && length > 0 ? length : 0] = 0;
    return code;
}

/* Asserts the data of a znode. */
static void data_is(struct client *client, const char *path, const char *expected)
{
    char data[256];
    struct Stat stat;
    CODE(ZOK, get(client, path, 0, data, sizeof data, &stat));
    SAME(expected, data);
}

static int set(struct client *client, const char *path, const char *data, int version)
{
    return zoo_set(client->zk, path, data, (int)strlen(data), version);
}

/* Whether two Stats are the same; they have gaps that say nothing. */
static int same_stat(const struct Stat *a, const struct Stat *b)
{
    return a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid
        && a->ctime == b->ctime && a->mtime == b->mtime && a->version == b->version
        && a->cversion == b->cversion && a->aversion == b->aversion
        && a->ephemeralOwner == b->ephemeralOwner && a->dataLength == b->dataLength
        && a->numChildren == b->numChildren;
}

static void connects(struct client *client)
{
    CHECK(zoo_client_id(client->zk)->client_id != 0);
    CHECK(zoo_recv_timeout(client->zk) == SESSION_MS);
    struct client *hasty = open_as(100, NULL), *patient = open_as(500000, NULL);
    UNTIL(state_of(hasty) == ZOO_CONNECTED_STATE && state_of(patient) == ZOO_CONNECTED_STATE);
    CHECK(zoo_recv_timeout(hasty->zk) == 1000 && zoo_recv_timeout(patient->zk) == 60000);
}

static void create(struct client *client)
{
    char made[256];
    CODE(ZOK, zoo_create(client->zk, in("a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, made,
                         sizeof made));
    SAME(in("a"), made);
}

static void create_ephemeral(struct client *client)
{
    struct Stat stat;
    make(client, in("e"), "", ZOO_EPHEMERAL);
    CODE(ZOK, zoo_exists(open_client()->zk, in("e"), 0, &stat));
    CHECK(stat.ephemeralOwner == zoo_client_id(client->zk)->client_id);
    CODE(ZNOCHILDRENFOREPHEMERALS,
         zoo_create(client->zk, in("e/c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
}

static void create_sequential(struct client *client)
{
    char made[256];
    CODE(ZOK, zoo_create(client->zk, in("s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                         ZOO_PERSISTENT_SEQUENTIAL, made, sizeof made));
    SAME(in("s-0000000000"), made);
    make(client, in("plain"), "", 0);
    CODE(ZOK, zoo_create(client->zk, in("e-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                         ZOO_EPHEMERAL_SEQUENTIAL, made, sizeof made));
    SAME(in("e-0000000002"), made);
}

static void create_stat(struct client *client)
{
    char made[256], data[16];
    struct Stat stat, read;
    CODE(ZOK, zoo_create2(client->zk, in("a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, made,
                          sizeof made, &stat));
    SAME(in("a"), made);
    CHECK(stat.version == 0 && stat.czxid == stat.mzxid && stat.dataLength == 3);
    CODE(ZOK, get(client, in("a"), 0, data, sizeof data, &read));
    CHECK(same_stat(&stat, &read));
    CODE(ZOK, zoo_create2(client->zk, in("e"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, made,
                          sizeof made, &stat));
    CHECK(stat.ephemeralOwner == zoo_client_id(client->zk)->client_id);
}

static void container(struct client *client)
{
    struct Stat stat;
    make(client, in("container"), "", ZOO_CONTAINER);
    make(client, in("container/c"), "", 0);
    CODE(ZOK, zoo_delete(client->zk, in("container/c"), -1));
    UNTIL(zoo_exists(client->zk, in("container"), 0, &stat) == ZNONODE);
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
    UNTIL(zoo_exists(client->zk, in("ttl"), 0, &stat) == ZNONODE);
    CODE(ZOK, zoo_exists(client->zk, made, 0, &stat));
}

static void get_set(struct client *client)
{
    char data[16];
    struct Stat stat;
    make(client, in("a"), "one", 0);
    CODE(ZOK, get(client, in("a"), 0, data, sizeof data, &stat));
    SAME("one", data);
    CHECK(stat.version == 0 && stat.czxid == stat.mzxid && stat.dataLength == 3);
    CODE(ZOK, zoo_set2(client->zk, in("a"), "two", 3, 0, &stat));
    CHECK(stat.version == 1 && stat.mzxid > stat.czxid);
    data_is(client, in("a"), "two");
}

static void exists(struct client *client)
{
    char data[16];
    struct Stat stat, read;
    CODE(ZNONODE, zoo_exists(client->zk, in("none"), 0, &stat));
    CODE(ZOK, zoo_exists(client->zk, root, 0, &stat));
    CODE(ZOK, get(client, root, 0, data, sizeof data, &read));
    CHECK(same_stat(&stat, &read));
}

static void delete(struct client *client)
{
    struct Stat stat;
    make(client, in("a"), "", 0);
    make(client, in("a/b"), "", 0);
    CODE(ZNOTEMPTY, zoo_delete(client->zk, in("a"), -1));
    CODE(ZOK, zoo_delete(client->zk, in("a/b"), -1));
    CODE(ZOK, zoo_delete(client->zk, in("a"), -1));
    CODE(ZNONODE, zoo_exists(client->zk, in("a"), 0, &stat));
}

static void children(struct client *client)
{
    struct String_vector names;
    CODE(ZOK, zoo_get_children(client->zk, root, 0, &names));
    CHECK(names.count == 0);
    deallocate_String_vector(&names);
    make(client, in("a"), "", 0);
    make(client, in("b"), "", 0);
    CODE(ZOK, zoo_get_children(client->zk, root, 0, &names));
    CHECK(names.count == 2 && strcmp(names.data[0], names.data[1]) != 0);
    deallocate_String_vector(&names);
}

static void children_stat(struct client *client)
{
    struct Stat stat;
    struct String_vector names;
    make(client, in("b"), "", 0);
    CODE(ZOK, zoo_get_children2(client->zk, root, 0, &names, &stat));
    CHECK(names.count == 1 && stat.numChildren == 1 && stat.cversion == 1);
    SAME("b", names.data[0]);
    deallocate_String_vector(&names);
}

static void bad_version(struct client *client)
{
    make(client, in("a"), "", 0);
    CODE(ZBADVERSION, set(client, in("a"), "x", 1));
    CODE(ZBADVERSION, zoo_delete(client->zk, in("a"), 7));
    CODE(ZOK, zoo_delete(client->zk, in("a"), 0));
}

static void node_errors(struct client *client)
{
    char data[16];
    struct Stat stat;
    struct String_vector names;
    CODE(ZNODEEXISTS, zoo_create(client->zk, root, NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    CODE(ZNONODE, get(client, in("none"), 0, data, sizeof data, &stat));
    CODE(ZNONODE, set(client, in("none"), "", -1));
    CODE(ZNONODE, zoo_delete(client->zk, in("none"), -1));
    CODE(ZNONODE, zoo_get_children(client->zk, in("none"), 0, &names));
    CODE(ZNONODE,
         zoo_create(client->zk, in("no/ne"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
}

static void data_empty(struct client *client)
{
    char data[16];
    struct Stat stat;
    int length = sizeof data;
    CODE(ZOK, zoo_create(client->zk, in("null"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    CODE(ZOK, zoo_get(client->zk, in("null"), 0, data, &length, &stat));
    CHECK(length == -1);
    length = sizeof data;
    make(client, in("empty"), "", 0);
    CODE(ZOK, zoo_get(client->zk, in("empty"), 0, data, &length, &stat));
    CHECK(length == 0);
}

static void data_large(struct client *client)
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

static void data_too_large(struct client *client)
{
    struct Stat stat;
    int length = 1100000;
    char *data = calloc(1, length);
    int64_t session = zoo_client_id(client->zk)->client_id;
    int created = zoo_create(client->zk, in("big"), data, length, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    free(data);
    CODE(ZCONNECTIONLOSS, created);
    UNTIL(connections_of(client) == 2);
    CODE(ZNONODE, zoo_exists(client->zk, in("big"), 0, &stat));
    CHECK(zoo_client_id(client->zk)->client_id == session);
}

static void unicode(struct client *client)
{
    struct String_vector names;
    make(client, in("ünïcode-日本"), "ünï", 0);
    data_is(client, in("ünïcode-日本"), "ünï");
    CODE(ZOK, zoo_get_children(client->zk, root, 0, &names));
    SAME("ünïcode-日本", names.data[0]);
    deallocate_String_vector(&names);
}

static void acl(struct client *client)
{
    struct Stat stat;
    struct ACL_vector list;
    CODE(ZOK, zoo_get_acl(client->zk, root, &list, &stat));
    CHECK(list.count == 1 && list.data[0].perms == ZOO_PERM_ALL && stat.aversion == 0);
    SAME("world", list.data[0].id.scheme);
    deallocate_ACL_vector(&list);
    struct ACL few = {ZOO_PERM_READ | ZOO_PERM_ADMIN, ZOO_ANYONE_ID_UNSAFE};
    struct ACL_vector admin = {1, &few};
    CODE(ZOK, zoo_set_acl(client->zk, root, 0, &admin));
    CODE(ZNOAUTH, set(client, root, "x", -1));
    CODE(ZNOAUTH, zoo_create(client->zk, in("a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    CODE(ZBADVERSION, zoo_set_acl(client->zk, root, 0, &admin));
}

static void acl_digest(struct client *client)
{
    struct client *bob = open_client();
    struct Stat stat;
    char data[16];
    CODE(ZOK, authenticate(client, "digest", "alice:secret"));
    CODE(ZOK, zoo_create(client->zk, in("a"), "hers", 4, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    CODE(ZNOAUTH, get(bob, in("a"), 0, data, sizeof data, &stat));
    CODE(ZNOAUTH, set(bob, in("a"), "x", -1));
    struct ACL_vector list;
    CODE(ZOK, zoo_get_acl(client->zk, in("a"), &list, &stat));
    CHECK(list.count == 1 && list.data[0].perms == ZOO_PERM_ALL && stat.aversion == 0);
    SAME("digest", list.data[0].id.scheme);
    deallocate_ACL_vector(&list);
    CODE(ZOK, zoo_set_acl(client->zk, in("a"), 0, &ZOO_READ_ACL_UNSAFE));
    data_is(bob, in("a"), "hers");
    CODE(ZNOAUTH, zoo_set_acl(bob->zk, in("a"), -1, &ZOO_OPEN_ACL_UNSAFE));
}

static void acl_auth(struct client *client)
{
    struct Stat stat;
    struct ACL_vector list;
    CODE(ZOK, authenticate(client, "digest", "alice:secret"));
    CODE(ZOK, zoo_create(client->zk, in("a"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    CODE(ZOK, zoo_get_acl(client->zk, in("a"), &list, &stat));
    CHECK(list.count == 1 && strncmp(list.data[0].id.id, "alice:", 6) == 0);
    deallocate_ACL_vector(&list);
    CODE(ZINVALIDACL,
         zoo_create(open_client()->zk, in("b"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
}

static void acl_ip(struct client *client)
{
    char data[16];
    struct Stat stat;
    struct ACL here = {ZOO_PERM_ALL, {"ip", "127.0.0.1"}}, away = {ZOO_PERM_ALL, {"ip", "10.0.0.0/8"}};
    struct ACL_vector list = {1, &here};
    CODE(ZOK, zoo_create(client->zk, in("here"), "", 0, &list, 0, NULL, 0));
    CODE(ZOK, get(client, in("here"), 0, data, sizeof data, &stat));
    list.data = &away;
    CODE(ZOK, zoo_create(client->zk, in("away"), "", 0, &list, 0, NULL, 0));
    CODE(ZNOAUTH, get(client, in("away"), 0, data, sizeof data, &stat));
}

static void auth_unknown(struct client *client)
{
    CODE(ZAUTHFAILED, authenticate(client, "nonsense", "x"));
    UNTIL(state_of(client) == ZOO_AUTH_FAILED_STATE);
}

static void auth_again(struct client *client)
{
    CODE(ZOK, authenticate(client, "digest", "alice:secret"));
    CODE(ZOK, zoo_create(client->zk, in("hers"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    order("drop");
    UNTIL(connections_of(client) == 2);
    CODE(ZOK, set(client, in("hers"), "x", -1));
}

static void quota(struct client *client)
{
    char place[256], path[300], data[256];
    struct Stat stat;
    snprintf(place, sizeof place, "/zookeeper/quota%s", root);
    make(client, place, "", 0);
    snprintf(path, sizeof path, "%s/zookeeper_limits", place);
    make(client, path, "count=5,bytes=-1", 0);
    snprintf(path, sizeof path, "%s/zookeeper_stats", place);
    make(client, path, "count=1,bytes=0", 0);
    make(client, in("a"), "12345", 0);
    CODE(ZOK, get(client, path, 0, data, sizeof data, &stat));
    if (strncmp(data, "count=2,bytes=5", 15) != 0)
        fail(__LINE__, "%s", data);
}

static void multi(struct client *client)
{
    char a[256], s[256], made[256], sequential[256];
    struct Stat stat;
    snprintf(a, sizeof a, "%s", in("a"));
    snprintf(s, sizeof s, "%s", in("a/s-"));
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    zoo_create_op_init(&ops[0], a, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
    zoo_check_op_init(&ops[1], a, 0);
    zoo_set_op_init(&ops[2], a, "2", 1, 0, &stat);
    zoo_create_op_init(&ops[3], s, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, sequential,
                       sizeof sequential);
    CODE(ZOK, zoo_multi(client->zk, 4, ops, results));
    SAME(a, made);
    SAME(in("a/s-0000000000"), sequential);
    CHECK(stat.version == 1);
    data_is(client, a, "2");
}

static void multi_fails(struct client *client)
{
    char a[256];
    struct Stat stat;
    snprintf(a, sizeof a, "%s", in("a"));
    zoo_op_t ops[3];
    zoo_op_result_t results[3];
    zoo_create_op_init(&ops[0], a, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    zoo_check_op_init(&ops[1], a, 9);
    zoo_delete_op_init(&ops[2], a, -1);
    CODE(ZBADVERSION, zoo_multi(client->zk, 3, ops, results));
    CHECK(results[0].err == ZOK && results[1].err == ZBADVERSION);
    CHECK(results[2].err == ZRUNTIMEINCONSISTENCY);
    CODE(ZNONODE, zoo_exists(client->zk, a, 0, &stat));
}

static void watch_data(struct client *client)
{
    char data[16];
    struct Stat stat;
    struct client *writer = open_client();
    make(writer, in("w"), "", 0);
    CODE(ZOK, get(client, in("w"), 1, data, sizeof data, &stat));
    CODE(ZOK, set(writer, in("w"), "1", -1));
    event_is(client, 0, ZOO_CHANGED_EVENT, in("w"));
    CODE(ZOK, get(client, in("w"), 1, data, sizeof data, &stat));
    CODE(ZOK, zoo_delete(writer->zk, in("w"), -1));
    event_is(client, 1, ZOO_DELETED_EVENT, in("w"));
}

static void watch_exists(struct client *client)
{
    struct Stat stat;
    struct client *writer = open_client();
    CODE(ZNONODE, zoo_exists(client->zk, in("w"), 1, &stat));
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
    CODE(ZOK, zoo_wexists(client->zk, in("w"), watcher, client, &stat));
    CODE(ZOK, zoo_delete(writer->zk, in("w"), -1));
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
    CODE(ZOK, zoo_get_children(client->zk, root, 1, &names));
    deallocate_String_vector(&names);
    CODE(ZOK, zoo_delete(writer->zk, in("c"), -1));
    event_is(client, 1, ZOO_CHILD_EVENT, root);
}

static void watch_once(struct client *client)
{
    char data[16];
    struct Stat stat;
    struct client *writer = open_client();
    CODE(ZOK, get(client, root, 1, data, sizeof data, &stat));
    CODE(ZOK, set(writer, root, "1", -1));
    CODE(ZOK, set(writer, root, "2", -1));
    event_is(client, 0, ZOO_CHANGED_EVENT, root);
    CODE(ZOK, zoo_exists(client->zk, root, 0, &stat));
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
    char data[16];
    struct Stat stat;
    struct client *writer = open_client();
    for (int round = 0; round < 50; round++) {
        CODE(ZOK, get(client, root, 1, data, sizeof data, &stat));
        events_before = -1;
        snprintf(awaited, sizeof awaited, "%d", round);
        CODE(ZOK, zoo_aset(writer->zk, root, awaited, (int)strlen(awaited), -1, answered_set, NULL));
        while (events_before < 0) {
            answers.count = 0;
            CODE(ZOK, zoo_aget(client->zk, root, 0, newest, client));
            UNTIL(answers_count() > 0);
        }
        /* Events and answers come on one thread, in the order of their arrival. */
        CHECK(events_before == round + 1);
    }
}

static void watch_remove(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    CODE(ZOK, zoo_wexists(client->zk, root, watcher, client, &stat));
    CODE(ZOK, zoo_remove_watches(client->zk, root, ZWATCHTYPE_DATA, watcher, client, 0));
    CODE(ZOK, set(writer, root, "1", -1));
    CODE(ZOK, zoo_exists(client->zk, root, 0, &stat));
    CHECK(events_of(client) == 0);
    CODE(ZNOWATCHER, zoo_remove_watches(client->zk, root, ZWATCHTYPE_DATA, watcher, client, 0));
}

static void watch_again(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    struct String_vector names;
    CODE(ZNONODE, zoo_exists(client->zk, in("w"), 1, &stat));
    CODE(ZOK, zoo_get_children(client->zk, root, 1, &names));
    deallocate_String_vector(&names);
    order("drop");
    UNTIL(connections_of(client) == 2 && connections_of(writer) == 2);
    CODE(ZOK, zoo_exists(client->zk, root, 0, &stat));
    CHECK(events_of(client) == 0);
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
    event_is(client, 1, ZOO_CHILD_EVENT, root);
}

static void watch_missed(struct client *client)
{
    struct client *writer = open_client();
    struct Stat stat;
    CODE(ZNONODE, zoo_exists(client->zk, in("w"), 1, &stat));
    order("drop");
    UNTIL(connections_of(writer) == 2);
    /* Before or after the watcher is back: it is told in any case. */
    make(writer, in("w"), "", 0);
    event_is(client, 0, ZOO_CREATED_EVENT, in("w"));
}

static void pipeline(struct client *client)
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

static void synced(struct client *client)
{
    answers.count = 0;
    CODE(ZOK, zoo_async(client->zk, root, answered_string, NULL));
    UNTIL(answers_count() == 1);
    CODE(ZOK, answers.codes[0]);
}

static void session_kept(struct client *client)
{
    struct Stat stat;
    int64_t session = zoo_client_id(client->zk)->client_id;
    make(client, in("e"), "", ZOO_EPHEMERAL);
    order("drop");
    UNTIL(connections_of(client) == 2);
    CHECK(zoo_client_id(client->zk)->client_id == session);
    CODE(ZOK, zoo_exists(client->zk, in("e"), 0, &stat));
    CHECK(stat.ephemeralOwner == session);
}

static void session_restart(struct client *ignored)
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
    CHECK(same_stat(&before, &after));
    CODE(ZOK, zoo_set(client->zk, in("e"), "new", 3, 0));
    event_is(client, 0, ZOO_CHANGED_EVENT, in("e"));
}

static void session_close(struct client *client)
{
    struct Stat stat;
    struct client *other = open_client();
    make(client, in("e"), "", ZOO_EPHEMERAL);
    CODE(ZOK, zoo_exists(other->zk, in("e"), 1, &stat));
    CODE(ZOK, zookeeper_close(client->zk));
    client->zk = NULL;
    event_is(other, 0, ZOO_DELETED_EVENT, in("e"));
    CODE(ZNONODE, zoo_exists(other->zk, in("e"), 0, &stat));
}

static void session_expired(struct client *other)
{
    struct client *client = open_as(1000, NULL);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
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

static void session_takeover(struct client *client)
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

static void chrooted(struct client *outside)
{
    char where[256], data[16];
    struct Stat stat;
    snprintf(where, sizeof where, "%s%s", getenv("COMPAT_CONNECT"), root);
    struct client *inside = open_at(where, SESSION_MS, NULL, 0);
    UNTIL(state_of(inside) == ZOO_CONNECTED_STATE);
    make(inside, "/in", "", 0);
    CODE(ZOK, get(inside, "/in", 1, data, sizeof data, &stat));
    CODE(ZOK, set(outside, in("in"), "1", -1));
    event_is(inside, 0, ZOO_CHANGED_EVENT, "/in");
}

/* A client of three servers. */
static struct client *open_ensemble(int session_ms, int flags)
{
    struct client *client = open_at(getenv("COMPAT_ENSEMBLE"), session_ms, NULL, flags);
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE || state_of(client) == ZOO_READONLY_STATE);
    return client;
}

/* Creates a znode, again and again while connections break. */
static void insist(struct client *client, const char *path, int mode)
{
    int repeated = 0, code;
    for (int left = 1200;; left--) {
        code = zoo_create(client->zk, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
        if (code != ZCONNECTIONLOSS && code != ZOPERATIONTIMEOUT)
            break;
        CHECK(left > 0);
        repeated = 1;
        usleep(50000);
    }
    if (!(repeated && code == ZNODEEXISTS))
        CODE(ZOK, code);
}

static void outlives(int leader)
{
    char name[16], kill[64];
    struct Stat stat;
    order("ensemble");
    struct client *client = open_ensemble(30000, 0);
    int64_t session = zoo_client_id(client->zk)->client_id;
    make(client, root, "", 0);
    make(client, in("e"), "", ZOO_EPHEMERAL);
    for (int number = 0; number < 10; number++) {
        if (number == 5) {
            snprintf(kill, sizeof kill, "kill-server-of 0x%llx", (unsigned long long)session);
            order(leader ? "kill-leader" : kill);
        }
        snprintf(name, sizeof name, "%d", number);
        insist(client, in(name), 0);
    }
    CHECK(zoo_client_id(client->zk)->client_id == session);
    CODE(ZOK, zoo_exists(client->zk, in("e"), 0, &stat));
    CHECK(stat.ephemeralOwner == session);
    CODE(ZOK, zoo_exists(client->zk, root, 0, &stat));
    CHECK(stat.numChildren == 11);
}

static void server_killed(struct client *ignored)
{
    (void)ignored;
    outlives(0);
}

static void leader_killed(struct client *ignored)
{
    (void)ignored;
    outlives(1);
}

static void read_only(struct client *ignored)
{
    (void)ignored;
    order("ensemble");
    struct client *writer = open_ensemble(SESSION_MS, 0);
    make(writer, root, "data", 0);
    CODE(ZOK, zookeeper_close(writer->zk));
    writer->zk = NULL;
    order("leave-one");
    struct client *client = open_ensemble(SESSION_MS, ZOO_READONLY);
    CHECK(state_of(client) == ZOO_READONLY_STATE);
    data_is(client, root, "data");
    CODE(ZNOTREADONLY, zoo_create(client->zk, in("a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    order("ensemble");
    UNTIL(state_of(client) == ZOO_CONNECTED_STATE);
    insist(client, in("a"), ZOO_EPHEMERAL);
}

static int configuration(struct client *client, char *data, int size)
{
    struct Stat stat;
    int length = size - 1;
    CODE(ZOK, zoo_getconfig(client->zk, 0, data, &length, &stat));
    CHECK(length > 0);
    data[length] = 0;
    return length;
}

static void config_get(struct client *ignored)
{
    (void)ignored;
    char data[1024];
    order("ensemble");
    configuration(open_ensemble(SESSION_MS, 0), data, sizeof data);
    CHECK(strstr(data, "server.1=") && strstr(data, "server.3=") && strstr(data, "version="));
}

static void reconfig(struct client *ignored)
{
    (void)ignored;
    char data[1024], line[256];
    struct Stat stat;
    order("ensemble");
    struct client *client = open_ensemble(SESSION_MS, 0);
    configuration(client, data, sizeof data);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(strstr(data, "server.3="), "\n"),
             strstr(data, "server.3="));
    int length = sizeof data - 1;
    CODE(ZNOAUTH, zoo_reconfig(client->zk, line, NULL, NULL, -1, data, &length, &stat));
    CODE(ZOK, authenticate(client, "digest", "super:test"));
    length = sizeof data - 1;
    CODE(ZOK, zoo_reconfig(client->zk, line, NULL, NULL, -1, data, &length, &stat));
    data[length] = 0;
    CHECK(strstr(data, line));
    int64_t version = strtoll(strstr(data, "version=") + 8, NULL, 16);
    length = sizeof data - 1;
    CODE(ZOK, zoo_reconfig(client->zk, line, NULL, NULL, version, data, &length, &stat));
    CODE(ZBADVERSION, zoo_reconfig(client->zk, line, NULL, NULL, version, data, &length, &stat));
}

/* The behaviours; without a function those that this library does not offer. */
static const struct {
    const char *name;
    void (*run)(struct client *);
} behaviours[] = {
    {"connect", connects},
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
    {"acl", acl},
    {"acl-digest", acl_digest},
    {"acl-auth", acl_auth},
    {"acl-ip", acl_ip},
    {"auth-unknown", auth_unknown},
    {"auth-again", auth_again},
    {"quota", quota},
    {"multi", multi},
    {"multi-fails", multi_fails},
    {"multi-read", NULL},
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
    {"pipeline", pipeline},
    {"sync", synced},
    {"ephemerals-of", NULL},
    {"all-children", NULL},
    {"who-am-i", NULL},
    {"session-kept", session_kept},
    {"session-restart", session_restart},
    {"session-close", session_close},
    {"session-expired", session_expired},
    {"session-takeover", session_takeover},
    {"chroot", chrooted},
    {"server-killed", server_killed},
    {"leader-killed", leader_killed},
    {"read-only", read_only},
    {"config-get", config_get},
    {"reconfig", reconfig},
};

int main(int argc, char **argv)
{
    zoo_set_debug_level(0);
    for (size_t i = 0; i < sizeof behaviours / sizeof behaviours[0]; i++) {
        if (argc > 1 && !strstr(behaviours[i].name, argv[1]))
            continue;
        if (!behaviours[i].run) {
            printf("%s unsupported\n", behaviours[i].name);
            continue;
        }
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
        printf("(%.1f s)\n%s %s%s\n", took, behaviours[i].name, ok ? "works" : "fails ",
               ok ? "" : why);
        fflush(stdout);
    }
    return 0;
}
