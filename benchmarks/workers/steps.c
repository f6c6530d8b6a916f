/* Simulated workers: each hands the writer a group of steps, waits until it is durable, and hands it the next.
 *
 *     steps WORKERS STEPS SECONDS DOWN    descriptors 3, 4, ... are connected sockets that keep messages apart
 *
 * Each DOWN-th step goes down, the others up; with 0, all are alike. All run in one process, so that the load takes little of a core: what is measured is the writer. Prints a line of
 * JSON: steps that were ordered, seconds, and percentiles of the time of a group in microseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

/* The number of the group (8), how many steps it has (4) and in how many bytes (4), whether more follows (1). */
#define HEAD 17
#define WORKERS_MAX 64
#define STEPS_MAX 4096
#define GROUPS_MAX (1 << 24)

static char message[WORKERS_MAX][HEAD + STEPS_MAX];
static uint64_t number[WORKERS_MAX];
static double sent_s[WORKERS_MAX];
static float *took_us;

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void hand_over(int worker, uint32_t steps) {
    number[worker]++;
    memcpy(message[worker], &number[worker], 8);
    memcpy(message[worker] + 8, &steps, 4);
    memcpy(message[worker] + 12, &steps, 4);
    sent_s[worker] = now_s();
    if (send(3 + worker, message[worker], HEAD + steps, 0) != (ssize_t)(HEAD + steps)) {
        perror("send");
        exit(1);
    }
}

static int by_size(const void *one, const void *other) {
    float a = *(const float *)one, b = *(const float *)other;
    return (a > b) - (a < b);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int workers = atoi(argv[1]);
    uint32_t steps = atoi(argv[2]);
    double seconds = atof(argv[3]);
    uint32_t down = atoi(argv[4]);
    if (workers < 1 || workers > WORKERS_MAX || steps < 1 || steps > STEPS_MAX) return 2;
    took_us = malloc(GROUPS_MAX * sizeof *took_us);
    int epoll = epoll_create1(0);
    char reply[65536];
    for (int worker = 0; worker < workers; worker++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = worker};
        epoll_ctl(epoll, EPOLL_CTL_ADD, 3 + worker, &event);
        for (uint32_t step = 0; step < steps; step++)
            message[worker][HEAD + step] = down && step % down == down - 1 ? 'p' : 'n';
        /* The writer says that groups are taken. */
        if (recv(3 + worker, reply, sizeof reply, 0) <= 0) return 1;
        hand_over(worker, steps);
    }
    uint64_t groups = 0;
    double began_s = now_s(), end_s = began_s + seconds;
    while (now_s() < end_s && groups < GROUPS_MAX - WORKERS_MAX) {
        struct epoll_event events[WORKERS_MAX];
        int count = epoll_wait(epoll, events, WORKERS_MAX, 1000);
        for (int index = 0; index < count; index++) {
            int worker = events[index].data.u32;
            if (recv(3 + worker, reply, sizeof reply, 0) <= 0) return 1;
            uint64_t answered;
            memcpy(&answered, reply + 1, 8);
            if (answered != number[worker]) return 3;
            took_us[groups++] = (now_s() - sent_s[worker]) * 1e6;
            hand_over(worker, steps);
        }
    }
    double took_s = now_s() - began_s;
    qsort(took_us, groups, sizeof *took_us, by_size);
    printf("{\"steps\": %llu, \"seconds\": %.3f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           (unsigned long long)groups * steps, took_s, groups ? took_us[groups / 2] : 0,
           groups ? took_us[groups * 99 / 100] : 0);
    return 0;
}
