/* Intrusive doubly linked list. A node is in one list or in none; membership is the owner's state. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next;
    struct list_node *previous;
};

struct list {
    struct list_node head;
    size_t count;
};

#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *list) {
    list->head.next = list->head.previous = &list->head;
    list->count = 0;
}
static inline bool list_is_empty(const struct list *list) {
    return list->count == 0;
}
static inline void list_insert_before(struct list *list, struct list_node *at, struct list_node *node) {
    node->next = at;
    node->previous = at->previous;
    at->previous->next = node;
    at->previous = node;
    list->count++;
}
static inline void list_add(struct list *list, struct list_node *node) { /* at the end */
    list_insert_before(list, &list->head, node);
}
static inline void list_add_first(struct list *list, struct list_node *node) {
    list_insert_before(list, list->head.next, node);
}
static inline void list_remove(struct list *list, struct list_node *node) {
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node->previous = NULL;
    list->count--;
}
static inline struct list_node *list_first(const struct list *list) { /* NULL when empty */
    return list->count ? list->head.next : NULL;
}
static inline struct list_node *list_next(const struct list *list, const struct list_node *node) {
    return node->next == &list->head ? NULL : node->next;
}
static inline struct list_node *list_take_first(struct list *list) {
    struct list_node *node = list_first(list);
    if (node)
        list_remove(list, node);
    return node;
}
static inline bool list_node_is_linked(const struct list_node *node) {
    return node->next != NULL;
}

#endif
