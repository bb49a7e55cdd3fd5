/*
 * Several requests at once: multis, and requests in flight that are answered in order, `sync`
 * among them. That order holds for one client; what others see of it is not asked here.
 */

#include <stdio.h>

#include "client.h"
#include "harness.h"

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
    snprintf(a, sizeof a, "%s", in("a"));
    zoo_op_t ops[3];
    zoo_op_result_t results[3];
    zoo_create_op_init(&ops[0], a, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    zoo_check_op_init(&ops[1], a, 9);
    zoo_delete_op_init(&ops[2], a, -1);
    CODE(ZBADVERSION, zoo_multi(client->zk, 3, ops, results));
    CHECK(results[0].err == ZOK && results[1].err == ZBADVERSION);
    CHECK(results[2].err == ZRUNTIMEINCONSISTENCY);
    CODE(ZNONODE, try_exists(client, a, NO_WATCH));
}

static void pipeline(struct client *client)
{
    zhandle_t *zk = client->zk;
    answers.count = 0;
    const char *path = in("async");
    long n = 0;
    for (int round = 0; round < 50; round++) {
        CODE(ZOK, zoo_acreate(zk, path, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, answered_string,
                              (void *)n++));
        CODE(ZOK, zoo_aexists(zk, path, NO_WATCH, answered_stat, (void *)n++));
        CODE(ZOK, zoo_aset(zk, path, "2", 1, 0, answered_stat, (void *)n++));
        CODE(ZOK, zoo_aget(zk, path, NO_WATCH, answered_data, (void *)n++));
        CODE(ZOK, zoo_aget_children2(zk, root, NO_WATCH, answered_strings, (void *)n++));
        CODE(ZOK, zoo_aget_acl(zk, path, answered_acl, (void *)n++));
        CODE(ZOK, zoo_async(zk, path, answered_string, (void *)n++));
        CODE(ZOK, zoo_adelete(zk, path, 1, answered, (void *)n++));
        CODE(ZOK, zoo_aexists(zk, path, NO_WATCH, answered_stat, (void *)n++));
    }
    UNTIL(answers_count() == n);
    for (long i = 0; i < n; i++) {
        CHECK(answers.numbers[i] == i);
        /* The last of a round asks for what was deleted. */
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

const struct behaviour requests[] = {
    {"multi", multi},
    {"multi-fails", multi_fails},
    {"multi-read", NULL},
    {"pipeline", pipeline},
    {"sync", synced},
    {"ephemerals-of", NULL},
    {"all-children", NULL},
    {NULL, NULL},
};
