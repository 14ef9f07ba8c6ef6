/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: the event log, one JSON object an event, within a budget. */
#include "mali_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room kept for what closes the object: "]" and ,"truncated":true}. */
#define EV_RESERVE 32

static void put(MaliEvent *e, size_t cap, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void put(MaliEvent *e, size_t cap, const char *fmt, va_list ap)
{
    va_list copy;
    int n;

    va_copy(copy, ap);
    n = vsnprintf(NULL, 0, fmt, copy);
    va_end(copy);
    if (e->overflow || n < 0 || e->len + (size_t)n >= cap) {
        e->overflow = true; /* sticky: a half-written list must not go on behind a gap */
        return;
    }
    vsnprintf(e->buf + e->len, (size_t)n + 1, fmt, ap);
    e->len += (size_t)n;
}

static void add(MaliEvent *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(MaliEvent *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(e, sizeof(e->buf) - EV_RESERVE, fmt, ap);
    va_end(ap);
}

static void close_with(MaliEvent *e, const char *s)
{
    size_t n = strlen(s);

    memcpy(e->buf + e->len, s, n + 1);
    e->len += n;
}

static void log_suppression(MaliGpu *g, const char *why)
{
    MaliEvent e;

    g->log_marker = true;
    mali_ev_begin(&e, g, "suppressed");
    mali_ev_str(&e, "why", why);
    mali_ev_u64(&e, "events", g->s.counter[MALI_CNT_SUPPRESSED]);
    mali_ev_end(&e);
    g->log_marker = false;
}

/*
 * False: the log's budget is used up and this event is not written. The log says so once
 * when that begins and once when it is over; seq counts what is written.
 */
static bool budget_left(MaliGpu *g)
{
    MaliLog *l = &g->s.log;
    uint64_t second = g->ops.now_ns(g->opaque) / 1000000000;
    const char *why;

    if (g->log_marker) {
        return true;
    }
    if (second != l->second) {
        l->second = second;
        l->used = 0;
    }
    why = l->total >= MALI_LOG_TOTAL ? "total" : l->used >= MALI_LOG_SECOND ? "rate" : NULL;
    if ((why != NULL) != (l->closed != 0)) {
        l->closed = why != NULL;
        log_suppression(g, why ? why : "over");
    }
    g->s.counter[MALI_CNT_SUPPRESSED] += why != NULL;
    return !why;
}

void mali_ev_begin(MaliEvent *e, MaliGpu *g, const char *kind)
{
    e->g = g;
    e->len = 0;
    e->overflow = false;
    e->array = false;
    e->dropped = !budget_left(g);
    add(e, "{\"seq\":%" PRIu64 ",\"vns\":%" PRIu64 ",\"ev\":\"%s\"", g->s.log.seq,
        g->ops.now_ns(g->opaque), kind);
    g->s.log.seq += !e->dropped;
}

void mali_ev_u64(MaliEvent *e, const char *key, uint64_t v)
{
    add(e, ",\"%s\":%" PRIu64, key, v);
}

void mali_ev_bool(MaliEvent *e, const char *key, bool v)
{
    add(e, ",\"%s\":%s", key, v ? "true" : "false");
}

/* Strings can come from the guest (section names): anything but printable ASCII becomes \u00XX. */
void mali_ev_str(MaliEvent *e, const char *key, const char *v)
{
    char esc[512];
    size_t n = 0;

    for (; *v && n + 7 < sizeof(esc); v++) {
        unsigned char c = (unsigned char)*v;

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            n += (size_t)snprintf(esc + n, sizeof(esc) - n, "\\u%04x", c);
        } else {
            esc[n++] = (char)c;
        }
    }
    esc[n] = '\0';
    add(e, ",\"%s\":\"%s\"", key, esc);
}

void mali_ev_arr_begin(MaliEvent *e, const char *key)
{
    add(e, ",\"%s\":[", key);
    e->array = !e->overflow;
}

void mali_ev_arr_pair(MaliEvent *e, uint64_t a, uint64_t b)
{
    add(e, "%s[%" PRIu64 ",%" PRIu64 "]", e->buf[e->len - 1] == '[' ? "" : ",", a, b);
}

void mali_ev_arr_end(MaliEvent *e)
{
    if (e->array) {
        close_with(e, "]");
        e->array = false;
    }
}

void mali_ev_end(MaliEvent *e)
{
    mali_ev_arr_end(e);
    if (e->dropped) {
        return;
    }
    close_with(e, e->overflow ? ",\"truncated\":true}" : "}");
    e->g->s.log.used += e->len + 1; /* and its newline */
    e->g->s.log.total += e->len + 1;
    e->g->ops.event(e->g->opaque, e->buf, e->len);
}

void mali_violation(MaliGpu *g, const char *rule, const char *fmt, ...)
{
    MaliEvent e;
    char detail[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    g->s.counter[MALI_CNT_VIOLATIONS]++;
    mali_ev_begin(&e, g, "violation");
    mali_ev_str(&e, "rule", rule);
    mali_ev_str(&e, "detail", detail);
    mali_ev_end(&e);
}

void mali_known_issue(MaliGpu *g, const char *issue, unsigned as)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "known-issue");
    mali_ev_str(&e, "issue", issue);
    mali_ev_u64(&e, "as", as);
    mali_ev_end(&e);
}
