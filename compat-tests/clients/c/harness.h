/*
 * What every behaviour is made of: assertions, waiting for conditions, orders to the servers, and
 * the report. A behaviour is a function that returns when all it asserts holds; the first
 * assertion that does not hold ends it. What clients do is in client.h.
 */

#ifndef HARNESS_H
#define HARNESS_H

#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

/* Longer than any wait for something that does happen. */
#define PATIENCE_MS 15000

struct client;

struct behaviour {
    const char *name;
    /* NULL where the library does not offer it. */
    void (*run)(struct client *client);
};

/* The behaviours of each subject; a last one has no name. */
extern const struct behaviour znodes[], access_rules[], requests[], watches[], sessions[],
    ensemble[];

/* The path of the behaviour that runs, which is its own. */
extern char root[64];

/* A path below the behaviour's own. Good until eight more were made. */
const char *in(const char *name);

/* Runs the behaviours of a subject whose name contains a text, and prints a line for each. */
void run(const struct behaviour *subject, const char *only);

/* Has the test's owner drop connections, or kill and restart the server. */
void order(const char *word);

/* Ends the behaviour as one that fails. */
void fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#define CHECK(condition) \
    do { \
        if (!(condition)) \
            fail(__FILE__, __LINE__, "%s", #condition); \
    } while (0)

/* Asserts a result code, and tells both by name. */
#define CODE(expected, call) \
    do { \
        int got_ = (call); \
        if (got_ != (expected)) \
            fail(__FILE__, __LINE__, "%s: expected %s, got %s", #call, zerror(expected), \
                 zerror(got_)); \
    } while (0)

#define SAME(expected, actual) \
    do { \
        if (strcmp((expected), (actual)) != 0) \
            fail(__FILE__, __LINE__, "expected %s, got %s", (expected), (actual)); \
    } while (0)

/* Waits until a condition holds. */
#define UNTIL(condition) \
    do { \
        int left_ = PATIENCE_MS / 10; \
        while (!(condition)) { \
            if (left_-- == 0) \
                fail(__FILE__, __LINE__, "waited in vain for %s", #condition); \
            usleep(10000); \
        } \
    } while (0)

#endif
