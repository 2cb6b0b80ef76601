/* Token buckets that several devices draw from: whoever comes first, gets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/rate_limiter.h"

uint64_t rate_limit_group_take(struct rate_limit_group *group, uint64_t bytes, uint64_t now_ns) {
    pthread_mutex_lock(&group->lock);
    uint64_t wait = rate_limiter_take(&group->limiter, bytes, now_ns);
    pthread_mutex_unlock(&group->lock);
    return wait;
}

struct rate_limit_group *rate_limit_group_add(struct rate_limit_group *list, const char *id,
                                              const struct nl_rate_limiter *config, uint64_t now_ns) {
    struct rate_limit_group *group = calloc(1, sizeof(*group));
    if (group == NULL)
        return NULL;
    snprintf(group->id, sizeof(group->id), "%s", id);
    pthread_mutex_init(&group->lock, NULL);
    rate_limiter_init(&group->limiter, config, now_ns);
    group->next = list;
    return group;
}

struct rate_limit_group *rate_limit_group_find(struct rate_limit_group *list, const char *id) {
    while (list != NULL && strcmp(list->id, id) != 0)
        list = list->next;
    return list;
}

void rate_limit_groups_close(struct rate_limit_group *list) {
    while (list != NULL) {
        struct rate_limit_group *group = list;
        list = group->next;
        pthread_mutex_destroy(&group->lock);
        free(group);
    }
}
