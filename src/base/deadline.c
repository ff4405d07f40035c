/* A binary heap of intrusive deadlines: a complete tree, whose n-th place is found by the bits of n after the first. */
#include "base/deadline.h"

void deadlines_init(struct deadlines *set) {
    *set = (struct deadlines){0};
}

/* The pointer that holds the n-th node (1 is the root), and whose child that is. */
static struct deadline **place(struct deadlines *set, size_t n, struct deadline **ret_parent) {
    struct deadline **at = &set->first;
    *ret_parent = NULL;
    if (n <= 1)
        return at;
    for (int bit = 62 - __builtin_clzll(n); bit >= 0; bit--) {
        *ret_parent = *at;
        at = n >> bit & 1 ? &(*at)->right : &(*at)->left;
    }
    return at;
}

static struct deadline **holder(struct deadlines *set, const struct deadline *node) {
    if (!node->parent)
        return &set->first;
    return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

static void adopt(struct deadline *node) {
    if (node->left)
        node->left->parent = node;
    if (node->right)
        node->right->parent = node;
}

/* `node` and its parent change places. */
static void rise(struct deadlines *set, struct deadline *node) {
    struct deadline *parent = node->parent;
    struct deadline *left = node->left, *right = node->right;
    *holder(set, parent) = node;
    node->parent = parent->parent;
    if (parent->left == node) {
        node->left = parent;
        node->right = parent->right;
    } else {
        node->left = parent->left;
        node->right = parent;
    }
    parent->left = left;
    parent->right = right;
    adopt(parent);
    adopt(node);
}

static void sift_up(struct deadlines *set, struct deadline *node) {
    while (node->parent && node->queued.ns < node->parent->queued.ns)
        rise(set, node);
}

static void sift_down(struct deadlines *set, struct deadline *node) {
    for (;;) {
        struct deadline *child = node->left;
        if (!child)
            break;
        if (node->right && node->right->queued.ns < child->queued.ns)
            child = node->right;
        if (node->queued.ns <= child->queued.ns)
            break;
        rise(set, child);
    }
}

static void take_out(struct deadlines *set, struct deadline *deadline) {
    struct deadline *parent;
    struct deadline **hole = place(set, set->count--, &parent);
    struct deadline *last = *hole;
    *hole = NULL;
    if (last != deadline) { /* the last one takes its place */
        *holder(set, deadline) = last;
        last->parent = deadline->parent;
        last->left = deadline->left;
        last->right = deadline->right;
        adopt(last);
        sift_up(set, last);
        sift_down(set, last);
    }
    deadline->parent = deadline->left = deadline->right = NULL;
    deadline->at = MONO_NEVER;
}

void deadlines_set(struct deadlines *set, struct deadline *deadline, struct mono at) {
    if (at.ns == INT64_MAX) {
        deadlines_clear(set, deadline);
        return;
    }
    bool armed = deadline->at.ns != INT64_MAX;
    deadline->at = at;
    if (armed) {
        if (at.ns < deadline->queued.ns) {
            deadline->queued = at;
            sift_up(set, deadline);
        }
        return;
    }
    struct deadline **free_place = place(set, ++set->count, &deadline->parent);
    *free_place = deadline;
    deadline->left = deadline->right = NULL;
    deadline->queued = at;
    sift_up(set, deadline);
}

void deadlines_clear(struct deadlines *set, struct deadline *deadline) {
    if (deadline->at.ns != INT64_MAX)
        take_out(set, deadline);
}

struct deadline *deadlines_take(struct deadlines *set, struct mono now) {
    while (set->first && set->first->queued.ns <= now.ns) {
        struct deadline *first = set->first;
        if (first->at.ns <= now.ns) {
            take_out(set, first);
            return first;
        }
        first->queued = first->at;
        sift_down(set, first);
    }
    return NULL;
}

struct mono deadlines_next(const struct deadlines *set) {
    return set->first ? set->first->queued : MONO_NEVER;
}
