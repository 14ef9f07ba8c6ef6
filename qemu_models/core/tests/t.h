/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tiny test framework. A test file has TEST(name) { ... CHECK(...); } blocks;
 * they register themselves, t.c runs them in the order of the files and lines.
 * A failed CHECK ends its test only.
 */
#ifndef MALI_T_H
#define MALI_T_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct TCase {
    const char *file, *name;
    int line;
    void (*run)(void);
    struct TCase *next;
} TCase;

void t_register(TCase *c);
/* Reports the failure and leaves the test (longjmp). */
_Noreturn void t_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Deterministic pseudo random numbers; t_seed() at the start of a random test. */
void t_seed(uint64_t seed);
uint64_t t_rand(void);

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void reg_##name(void)                                      \
    {                                                                                              \
        static TCase c = { __FILE__, #name, __LINE__, test_##name, NULL };                         \
        t_register(&c);                                                                            \
    }                                                                                              \
    static void test_##name(void)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            t_fail(__FILE__, __LINE__, "%s", #cond);                                               \
        }                                                                                          \
    } while (0)

#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);                                           \
        if (a_ != b_) {                                                                            \
            t_fail(__FILE__, __LINE__, "%s == 0x%" PRIx64 ", expected %s == 0x%" PRIx64, #a, a_,   \
                   #b, b_);                                                                        \
        }                                                                                          \
    } while (0)

#define CHECK_HAS(str, sub)                                                                        \
    do {                                                                                           \
        const char *s_ = (str);                                                                    \
        if (!s_ || !strstr(s_, (sub))) {                                                           \
            t_fail(__FILE__, __LINE__, "no %s in %s", (sub), s_ ? s_ : "(null)");                  \
        }                                                                                          \
    } while (0)

#endif
