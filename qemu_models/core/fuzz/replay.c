/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs kept inputs, one a line in hex, without a fuzzer: `replay FILE`. Exits 1 without any. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t decode(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    while (sscanf(hex + 2 * n, "%2x", &byte) == 1) {
        out[n++] = (uint8_t)byte;
    }
    return n;
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    static uint8_t input[1 << 15];
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    unsigned n = 0;

    while (f && fgets(line, sizeof(line), f)) {
        if (line[0] != '#') {
            size_t len = decode(line, input);
            uint8_t *exact = malloc(len ? len : 1); /* an overrun of the input shows */

            memcpy(exact, input, len);
            LLVMFuzzerTestOneInput(exact, len);
            free(exact);
            n++;
        }
    }
    printf("%u inputs\n", n);
    return n ? EXIT_SUCCESS : EXIT_FAILURE;
}
