/*
 * Runs behaviours and reports on them, and passes orders on to the test's owner. It proves
 * nothing by itself: what is asserted, the behaviours say.
 */

#include "harness.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "client.h"

char root[64];

static jmp_buf failed;
static char why[1024];

void fail(const char *file, int line, const char *format, ...)
{
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(why, sizeof why, "%s:%d: %s", file, line, text);
    longjmp(failed, 1);
}

const char *in(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

/* A connection to who takes the orders, or -1. */
static int connect_control(void)
{
    char control[64];
    snprintf(control, sizeof control, "%s", getenv("COMPAT_CONTROL"));
    char *colon = strrchr(control, ':');
    CHECK(colon != NULL);
    *colon = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
    CHECK(inet_pton(AF_INET, control, &address.sin_addr) == 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void order(const char *word)
{
    int fd = connect_control();
    CHECK(fd >= 0);
    char answer[256] = "";
    size_t length = 0;
    int ok = dprintf(fd, "%s\n", word) > 0;
    while (ok && !strchr(answer, '\n') && length < sizeof answer - 1) {
        ssize_t got = read(fd, answer + length, sizeof answer - 1 - length);
        ok = got > 0;
        length += ok ? got : 0;
    }
    close(fd);
    CHECK(ok);
    SAME("ok\n", answer);
}

/* Runs a behaviour with a client and a path of its own, and tells whether it holds. */
static int holds(const struct behaviour *behaviour)
{
    volatile int ok = 0;
    if (setjmp(failed) == 0) {
        struct client *client = open_client();
        snprintf(root, sizeof root, "/c-%s", behaviour->name);
        make(client, root, "", 0);
        behaviour->run(client);
        ok = 1;
    }
    close_all();
    return ok;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

void run(const struct behaviour *subject, const char *only)
{
    for (; subject->name; subject++) {
        if (!strstr(subject->name, only))
            continue;
        if (!subject->run) {
            printf("%s unsupported\n", subject->name);
            continue;
        }
        double began = seconds();
        int ok = holds(subject);
        printf("(%.1f s)\n%s %s%s\n", seconds() - began, subject->name, ok ? "works" : "fails ",
               ok ? "" : why);
        fflush(stdout);
    }
}
