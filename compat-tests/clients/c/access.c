/*
 * Who may do what: ACLs of every scheme without certificates or Kerberos, and who a client is.
 * The super user is seen in ensemble.c only.
 */

#include "client.h"
#include "harness.h"

/* Asserts that an ACL has one entry, which gives all permissions, and the scheme of that. */
static void acl_is(struct client *client, const char *path, const char *scheme)
{
    struct Stat stat;
    struct ACL_vector list;
    CODE(ZOK, zoo_get_acl(client->zk, path, &list, &stat));
    CHECK(list.count == 1 && list.data[0].perms == ZOO_PERM_ALL && stat.aversion == 0);
    SAME(scheme, list.data[0].id.scheme);
    deallocate_ACL_vector(&list);
}

static void acl(struct client *client)
{
    acl_is(client, root, "world");
    struct ACL few = {ZOO_PERM_READ | ZOO_PERM_ADMIN, ZOO_ANYONE_ID_UNSAFE};
    struct ACL_vector admin = {1, &few};
    CODE(ZOK, zoo_set_acl(client->zk, root, 0, &admin));
    CODE(ZNOAUTH, try_set(client, root, "x", -1));
    CODE(ZNOAUTH, try_create(client, in("a"), "", 0));
    CODE(ZBADVERSION, zoo_set_acl(client->zk, root, 0, &admin));
}

static void acl_digest(struct client *client)
{
    struct client *bob = open_client();
    CODE(ZOK, authenticate(client, "digest", "alice:secret"));
    CODE(ZOK, try_create_with(client, in("a"), "hers", &ZOO_CREATOR_ALL_ACL));
    CODE(ZNOAUTH, try_get(bob, in("a"), NO_WATCH));
    CODE(ZNOAUTH, try_set(bob, in("a"), "x", -1));
    acl_is(client, in("a"), "digest");
    CODE(ZOK, zoo_set_acl(client->zk, in("a"), 0, &ZOO_READ_ACL_UNSAFE));
    data_is(bob, in("a"), "hers");
    CODE(ZNOAUTH, zoo_set_acl(bob->zk, in("a"), -1, &ZOO_OPEN_ACL_UNSAFE));
}

static void acl_auth(struct client *client)
{
    struct Stat stat;
    struct ACL_vector list;
    CODE(ZOK, authenticate(client, "digest", "alice:secret"));
    CODE(ZOK, try_create_with(client, in("a"), "", &ZOO_CREATOR_ALL_ACL));
    CODE(ZOK, zoo_get_acl(client->zk, in("a"), &list, &stat));
    CHECK(list.count == 1 && strncmp(list.data[0].id.id, "alice:", 6) == 0);
    deallocate_ACL_vector(&list);
    CODE(ZINVALIDACL, try_create_with(open_client(), in("b"), "", &ZOO_CREATOR_ALL_ACL));
}

static void acl_ip(struct client *client)
{
    struct ACL here = {ZOO_PERM_ALL, {"ip", "127.0.0.1"}};
    struct ACL away = {ZOO_PERM_ALL, {"ip", "10.0.0.0/8"}};
    struct ACL_vector list = {1, &here};
    CODE(ZOK, try_create_with(client, in("here"), "", &list));
    CODE(ZOK, try_get(client, in("here"), NO_WATCH));
    list.data = &away;
    CODE(ZOK, try_create_with(client, in("away"), "", &list));
    CODE(ZNOAUTH, try_get(client, in("away"), NO_WATCH));
}

static void auth_unknown(struct client *client)
{
    CODE(ZAUTHFAILED, authenticate(client, "nonsense", "x"));
    UNTIL(state_of(client) == ZOO_AUTH_FAILED_STATE);
}

static void auth_again(struct client *client)
{
    CODE(ZOK, authenticate(client, "digest", "alice:secret"));
    CODE(ZOK, try_create_with(client, in("hers"), "", &ZOO_CREATOR_ALL_ACL));
    order("drop");
    is_back(client);
    CODE(ZOK, try_set(client, in("hers"), "x", -1));
}

const struct behaviour access_rules[] = {
    {"acl", acl},
    {"acl-digest", acl_digest},
    {"acl-auth", acl_auth},
    {"acl-ip", acl_ip},
    {"auth-unknown", auth_unknown},
    {"auth-again", auth_again},
    {"who-am-i", NULL},
    {NULL, NULL},
};
