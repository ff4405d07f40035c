/* Requests of a UDP listener that wait for their answers. */
#include "protocol/datagram/asks.h"

#include "base/memory.h"

#define FIRST_ASKS 16u

static struct ask *ask_at(const struct asks *asks, uint32_t index) {
    return &asks->items[(asks->first + index) & (asks->capacity - 1)];
}

static bool grow(struct asks *asks) {
    uint32_t capacity = asks->capacity ? asks->capacity * 2 : FIRST_ASKS;
    if (capacity > ASKS_MAX)
        return false;
    struct ask *items = memory_array(capacity, sizeof *items);
    if (!items)
        return false;
    for (uint32_t i = 0; i < asks->count; i++)
        items[i] = *ask_at(asks, i);
    memory_free(asks->items);
    asks->items = items;
    asks->capacity = capacity;
    asks->first = 0;
    return true;
}

bool asks_add(struct asks *asks, const struct ask *ask) {
    if (asks->count == asks->capacity && !grow(asks))
        return false;
    *ask_at(asks, asks->count++) = *ask;
    asks->open++;
    return true;
}

struct ask *asks_find(const struct asks *asks, uint64_t token) {
    uint32_t low = 0, high = asks->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ask_at(asks, middle)->token < token)
            low = middle + 1;
        else
            high = middle;
    }
    struct ask *ask = low < asks->count ? ask_at(asks, low) : NULL;
    return ask && ask->token == token && !ask->over ? ask : NULL;
}

void asks_end(struct asks *asks, struct ask *ask) {
    ask->over = true;
    asks->open--;
    while (asks->count && ask_at(asks, 0)->over) {
        asks->first = (asks->first + 1) & (asks->capacity - 1);
        asks->count--;
    }
}

void asks_done(struct asks *asks) {
    memory_free(asks->items);
    asks->items = NULL;
}
