/* Stops the process on a broken invariant. */
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text) {
    ssize_t unused = write(2, text, strlen(text));
    (void)unused;
}

void assert_failed(const char *expression, const char *file, int line) {
    char digits[12];
    int at = (int)sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0 && at > 0);
    say("intertie: assertion failed: ");
    say(expression);
    say(" at ");
    say(file);
    say(":");
    say(digits + at);
    say("\n");
    abort();
}
