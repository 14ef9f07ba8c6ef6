/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test runner: `run [substring]` runs the tests whose "file:name" contains the substring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "machine.h"
#include "t.h"

static TCase *cases;
static jmp_buf leave;
static uint64_t rng;

static int before(const TCase *a, const TCase *b)
{
    int f = strcmp(a->file, b->file);

    return f ? f < 0 : a->line < b->line;
}

/* Constructors run in link order, which a wildcard does not fix: sort. */
void t_register(TCase *c)
{
    TCase **p = &cases;

    while (*p && before(*p, c)) {
        p = &(*p)->next;
    }
    c->next = *p;
    *p = c;
}

void t_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    printf("# %s:%d: ", file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    longjmp(leave, 1);
}

void t_seed(uint64_t seed)
{
    rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

uint64_t t_rand(void) /* splitmix64 */
{
    uint64_t z = (rng += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool wanted(const TCase *c, int argc, char **argv)
{
    char full[256];

    snprintf(full, sizeof(full), "%s:%s", c->file, c->name);
    return argc < 2 || strstr(full, argv[1]);
}

/* A function of its own: no local lives across the longjmp. */
static bool run_one(const TCase *c)
{
    if (setjmp(leave)) {
        return false;
    }
    t_seed(1);
    c->run();
    return true;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const TCase *c = cases; c; c = c->next) {
        bool ok;

        if (!wanted(c, argc, argv)) {
            continue;
        }
        ok = run_one(c);
        passed += ok;
        failed += !ok;
        printf("%s %u - %s (%s:%d)\n", ok ? "ok" : "not ok", passed + failed, c->name, c->file,
               c->line);
        mach_free_all(); /* also after a failed CHECK: no false leaks */
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed ? EXIT_FAILURE : EXIT_SUCCESS;
}
