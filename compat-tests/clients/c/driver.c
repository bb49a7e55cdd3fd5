/*
 * Asks the C client (libzookeeper_mt) for the behaviours of behaviours.txt. An argument asks only
 * for those whose name contains it.
 *
 * It proves that the library does with a server what it does with ZooKeeper, through its
 * functions that block and through a few that do not. It does not prove TLS, SASL, nor the
 * library's single-threaded variant.
 */

#include "harness.h"

int main(int argc, char **argv)
{
    const struct behaviour *subjects[] = {
        znodes, access_rules, requests, watches, sessions, ensemble,
    };
    zoo_set_debug_level(0);
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
        run(subjects[i], argc > 1 ? argv[1] : "");
    return 0;
}
