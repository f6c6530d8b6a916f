/* Requests at a fixed rate, for the latency that users see of a service that is not saturated.
 *
 * Request i is due at start + i / rate, whatever became of those before it, and its latency counts from when it was
 * due, not from when it could be sent. So a stall of the server delays every request that was due meanwhile, and
 * shows (Tene: "coordinated omission"). One request at a time per connection; a due request without an idle connection
 * waits for one. Between events the loop spins, since it has a core of its own and a timer would be late by 50 us. It
 * yields each time: the kernel ends the server's writes on the core that the disk interrupts, which may be this one, and
 * would wait there for the whole slice of a process that never sleeps (2.4 ms a commit instead of 0.2).
 * One request of a hundred is /reset, which keeps the answers short; the others are /next.
 *
 * usage: paced PORT CONNECTIONS RATE-PER-SECOND SECONDS
 * prints: {"answers": , "errors": , "seconds": , "bytes": , "p50": , "p99": , "p999": }   (latencies in us)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, BUFFER_BYTES = 16384, STEPS_PER_RESET = 100 };
static const double PATIENCE_S = 10; /* for the last answers */

static struct connection {
  int fd;
  double due_s;
  size_t size;
  char buffer[BUFFER_BYTES + 1];
} connections[CONNECTIONS_MAX];

static size_t received_bytes;
static const char *const next = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char *const reset = "GET /reset HTTP/1.1\r\nHost: localhost\r\n\r\n";

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Read what is there; return 1 for a whole answer with a 2xx, -1 for another or a lost connection, 0 for not yet. */
static int receive(struct connection *connection) {
  ssize_t size = read(connection->fd, connection->buffer + connection->size, BUFFER_BYTES - connection->size);
  if (size <= 0) return -1;
  connection->size += size;
  connection->buffer[connection->size] = 0;
  char *end = strstr(connection->buffer, "\r\n\r\n");
  if (!end) return connection->size < BUFFER_BYTES ? 0 : -1;
  const char *length = strcasestr(connection->buffer, "\r\ncontent-length:");
  size_t total = end + 4 - connection->buffer + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
  if (connection->size < total) return total <= BUFFER_BYTES ? 0 : -1;
  connection->size = 0;
  received_bytes += total;
  return connection->buffer[9] == '2' ? 1 : -1;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int count = atoi(argv[2]), poller = epoll_create1(0), idle[CONNECTIONS_MAX], idle_count = 0, lost = 0, yes = 1;
  double rate = atof(argv[3]), seconds = atof(argv[4]);
  if (count < 1 || count > CONNECTIONS_MAX || rate < 1 || seconds <= 0) return 2;
  long total = rate * seconds, sent = 0, answers = 0, errors = 0; /* answered by an error, or not at all */
  float *latencies_us = malloc((total + 1) * sizeof *latencies_us);
  if (!latencies_us) fail("malloc");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; i++) {
    int fd = connections[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    idle[idle_count++] = i;
  }

  double start_s = now_s(), end_s = start_s;
  while (answers + errors < total && lost < count && end_s < start_s + seconds + PATIENCE_S) {
    end_s = now_s();
    while (sent < total && idle_count && start_s + sent / rate <= end_s) {
      struct connection *connection = &connections[idle[--idle_count]];
      connection->due_s = start_s + sent / rate;
      const char *request = ++sent % STEPS_PER_RESET ? next : reset;
      if (send(connection->fd, request, strlen(request), MSG_NOSIGNAL) < 0) errors++, lost++;
    }
    struct epoll_event events[64];
    int ready = epoll_wait(poller, events, 64, 0);
    if (!ready) sched_yield();
    for (int i = 0; i < ready; i++) {
      struct connection *connection = &connections[events[i].data.u32];
      int outcome = receive(connection);
      if (outcome > 0) latencies_us[answers++] = (now_s() - connection->due_s) * 1e6;
      if (outcome < 0) errors++, lost++, close(connection->fd);
      if (outcome > 0) idle[idle_count++] = events[i].data.u32;
    }
  }
  errors = total - answers;
  qsort(latencies_us, answers, sizeof *latencies_us, by_value);
  double at[] = {0.5, 0.99, 0.999}, us[3] = {0};
  for (int i = 0; i < 3 && answers; i++) us[i] = latencies_us[(long)(at[i] * (answers - 1))];
  printf("{\"answers\": %ld, \"errors\": %ld, \"seconds\": %f, \"bytes\": %zu, ", answers, errors, end_s - start_s,
         received_bytes);
  printf("\"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f}\n", us[0], us[1], us[2]);
}
