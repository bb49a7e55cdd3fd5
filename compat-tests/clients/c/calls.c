/*
 * Short forms of the library's calls, and the callbacks of the asynchronous ones. They assert at
 * most that a call returns ZOK; what the answer should be, the behaviours say.
 */

#include <stdio.h>

#include "client.h"
#include "harness.h"

static int create_as(struct client *client, const char *path, const char *data,
                     const struct ACL_vector *acl, int mode)
{
    return zoo_create(client->zk, path, data, (int)strlen(data), acl, mode, NULL, 0);
}

int try_create(struct client *client, const char *path, const char *data, int mode)
{
    return create_as(client, path, data, &ZOO_OPEN_ACL_UNSAFE, mode);
}

int try_create_with(struct client *client, const char *path, const char *data,
                    const struct ACL_vector *acl)
{
    return create_as(client, path, data, acl, 0);
}

void make(struct client *client, const char *path, const char *data, int mode)
{
    CODE(ZOK, try_create(client, path, data, mode));
}

int try_get(struct client *client, const char *path, enum watch watch)
{
    char data[16];
    int length = sizeof data;
    struct Stat stat;
    return zoo_get(client->zk, path, watch, data, &length, &stat);
}

int try_set(struct client *client, const char *path, const char *data, int version)
{
    return zoo_set(client->zk, path, data, (int)strlen(data), version);
}

int try_exists(struct client *client, const char *path, enum watch watch)
{
    struct Stat stat;
    return zoo_exists(client->zk, path, watch, &stat);
}

int try_delete(struct client *client, const char *path, int version)
{
    return zoo_delete(client->zk, path, version);
}

int try_list(struct client *client, const char *path, enum watch watch)
{
    struct String_vector names;
    int code = zoo_get_children(client->zk, path, watch, &names);
    if (code == ZOK)
        deallocate_String_vector(&names);
    return code;
}

struct Stat stat_of(struct client *client, const char *path)
{
    struct Stat stat;
    CODE(ZOK, zoo_exists(client->zk, path, NO_WATCH, &stat));
    return stat;
}

int same_stat(const struct Stat *a, const struct Stat *b)
{
    return a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid
        && a->ctime == b->ctime && a->mtime == b->mtime && a->version == b->version
        && a->cversion == b->cversion && a->aversion == b->aversion
        && a->ephemeralOwner == b->ephemeralOwner && a->dataLength == b->dataLength
        && a->numChildren == b->numChildren;
}

void data_is(struct client *client, const char *path, const char *expected)
{
    char data[256];
    int length = sizeof data - 1;
    CODE(ZOK, zoo_get(client->zk, path, NO_WATCH, data, &length, NULL));
    data[length > 0 ? length : 0] = 0;
    SAME(expected, data);
}

void owner_is(struct client *client, const char *path, int64_t session)
{
    CHECK(stat_of(client, path).ephemeralOwner == session);
}

int authenticate(struct client *client, const char *scheme, const char *who)
{
    answers.count = 0;
    CODE(ZOK, zoo_add_auth(client->zk, scheme, who, (int)strlen(who), answered, NULL));
    UNTIL(answers_count() == 1);
    return answers.codes[0];
}

struct answers answers = {.lock = PTHREAD_MUTEX_INITIALIZER};

int answers_count(void)
{
    pthread_mutex_lock(&answers.lock);
    int count = answers.count;
    pthread_mutex_unlock(&answers.lock);
    return count;
}

void answered(int code, const void *number)
{
    pthread_mutex_lock(&answers.lock);
    if (answers.count < ANSWERS_MAX) {
        answers.codes[answers.count] = code;
        answers.numbers[answers.count] = (long)number;
        answers.count++;
    }
    pthread_mutex_unlock(&answers.lock);
}

void answered_string(int code, const char *value, const void *number)
{
    (void)value;
    answered(code, number);
}

void answered_stat(int code, const struct Stat *stat, const void *number)
{
    (void)stat;
    answered(code, number);
}

void answered_data(int code, const char *value, int length, const struct Stat *stat,
                   const void *number)
{
    (void)value, (void)length, (void)stat;
    answered(code, number);
}

void answered_strings(int code, const struct String_vector *strings, const struct Stat *stat,
                      const void *number)
{
    (void)strings, (void)stat;
    answered(code, number);
}

void answered_acl(int code, struct ACL_vector *acl, struct Stat *stat, const void *number)
{
    (void)acl, (void)stat;
    answered(code, number);
}
