/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _DEFAULT_SOURCE /* fork */
/* Test runner: `run [substring]` runs the tests whose "file:name" contains the substring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "probe.h"
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

/* ---- run --table: see probe.h ---- */

#define MAX_TESTS 1000u

typedef struct Test {
    const TCase *c;
    clock_t took;
    const bool *touch; /* by row */
} Test;
static Test test[MAX_TESTS];
static unsigned num_tests;
static char hints[1u << 16]; /* an earlier table: whom to ask first */

/* In a process of its own: a knocked-out device may do anything, but not for ever. */
static bool notices(const TCase *c, unsigned row)
{
    const struct rlimit cpu = { 2, 2 };
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        setrlimit(RLIMIT_CPU, &cpu);
        if (!freopen("/dev/null", "w", stdout)) {
            _exit(2);
        }
        probe_knock((int)row);
        _exit(run_one(c) ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 1;
}

static bool hinted(unsigned row, const char *test)
{
    char line[256];

    snprintf(line, sizeof(line), "%s\t%s\t%s\n", probe_kind(row), probe_name(row), test);
    return strstr(hints, line) != NULL;
}

static int quicker(const void *a, const void *b)
{
    const Test *x = a, *y = b;

    return x->took < y->took ? -1 : x->took > y->took;
}

static void print_row(unsigned row)
{
    const char *by = "-";
    unsigned touched = 0;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < num_tests; i++) {
            touched += pass == 0 && test[i].touch[row];
            if (test[i].touch[row] && *by == '-' && hinted(row, test[i].c->name) == (pass == 0) &&
                notices(test[i].c, row)) {
                by = test[i].c->name;
            }
        }
    }
    printf("%s\t%s\t%u\t%s\n", probe_kind(row), probe_name(row), touched, by);
    fflush(stdout);
}

/* Runs them with the probe; the quick ones are asked first. */
static bool touch_all(bool *touch)
{
    for (const TCase *c = cases; c && num_tests < MAX_TESTS; c = c->next) {
        clock_t begin = clock();
        bool *mine = touch + (size_t)num_tests * probe_rows();

        if (strstr(c->file, "property")) {
            continue; /* random: touches everything, asserts nothing of its own */
        }
        probe_clear();
        if (!run_one(c)) {
            return false;
        }
        mach_free_all();
        for (unsigned row = 0; row < probe_rows(); row++) {
            mine[row] = probe_hit(row);
        }
        test[num_tests++] = (Test){ c, clock() - begin, mine };
    }
    qsort(test, num_tests, sizeof(test[0]), quicker);
    return true;
}

static int table(const char *earlier)
{
    FILE *f = earlier ? fopen(earlier, "r") : NULL;
    bool *touch;

    if (f) {
        hints[fread(hints, 1, sizeof(hints) - 1, f)] = '\0';
        fclose(f);
    }
    probe_on = true;
    touch = calloc((size_t)MAX_TESTS * probe_rows(), sizeof(*touch));
    if (!touch || !touch_all(touch)) {
        return EXIT_FAILURE;
    }
    printf("rows\n");
    for (unsigned row = 0; row < probe_rows(); row++) {
        print_row(row);
    }
    fflush(stdout);
    _exit(EXIT_SUCCESS); /* no counts of the knocked-out runs for gcov */
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "--table")) {
        return table(argc > 2 ? argv[2] : NULL);
    }
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
