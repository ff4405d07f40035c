/* Errands between threads: a list under a lock, taken whole. For what is rare; messages go through mailboxes. */
#include "runtime/inner.h"

void inbox_init(struct inbox *inbox) {
    *inbox = (struct inbox){0};
    pthread_mutex_init(&inbox->lock, NULL);
}

void inbox_done(struct inbox *inbox) {
    while (inbox->first) {
        struct post *next = inbox->first->next;
        memory_free(inbox->first);
        inbox->first = next;
    }
    pthread_mutex_destroy(&inbox->lock);
}

void inbox_put(struct inbox *inbox, struct post *post) {
    post->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    if (inbox->last)
        inbox->last->next = post;
    else
        inbox->first = post;
    inbox->last = post;
    pthread_mutex_unlock(&inbox->lock);
}

static struct post *take_all(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->lock);
    struct post *post = inbox->first;
    inbox->first = inbox->last = NULL;
    pthread_mutex_unlock(&inbox->lock);
    return post;
}

void inbox_drop(struct inbox *inbox, void *target) {
    struct post *post;
    while ((post = take_all(inbox))) /* again: what is dropped may give another errand */
        while (post) {
            struct post *next = post->next;
            if (post->drop)
                post->drop(target, post);
            else
                memory_free(post);
            post = next;
        }
}

void inbox_run(struct inbox *inbox, void *target) {
    struct post *post = take_all(inbox);
    while (post) {
        struct post *next = post->next;
        post->run(target, post);
        post = next;
    }
}
