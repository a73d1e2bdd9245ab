/* A queue of jobs by priority. */
#include <stdlib.h>
#include <string.h>

#define LIMIT 100

struct job {
    int priority;
    char name[64];
};

struct queue {
    size_t count;
    struct job jobs[LIMIT];
};

static int compare(const void *a, const void *b)
{
    const struct job *first = a, *second = b;
    return first->priority - second->priority;
}

int queue_push(struct queue *queue, const char *name, int priority)
{
    if (queue->count >= LIMIT) {
        return -1;
    }
    struct job *job = &queue->jobs[queue->count++];
    strncpy(job->name, name, sizeof(job->name) - 1);
    job->priority = priority;
    qsort(queue->jobs, queue->count, sizeof(*job), compare);
    return 0;
}

void queue_clear(struct queue *queue)
{
    // TODO: forget all jobs
}
