/* The floor: what any server on this kernel pays to take a request and give an answer, and nothing else.
 *
 * It makes the least system calls that the three kinds of clients allow, and does not parse. An epoll loop answers each
 * blank line that it reads with constant bytes, given in files, the very ones that pexservice answers. All answers to
 * one read leave in one call. A new connection is read at once, since its request is often there already, and is
 * known to epoll only if it goes on.
 *
 * usage: floor PORT KEEP-ALIVE-FILE CLOSE-FILE KEEP-ALIVE-10-FILE   (the answers for each kind of connection)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16, ANSWER_BYTES_MAX = 4096, BATCH = 64, EVENTS = 512, DESCRIPTORS = 1 << 16 };
enum kind { UNKNOWN, KEEP_ALIVE, CLOSE, KEEP_ALIVE_10 };

static struct {
  char bytes[BATCH * ANSWER_BYTES_MAX];  /* the answer again and again, so that a batch is one call */
  size_t size;
} answers[4];

static struct {
  unsigned char kind;
  unsigned char matched;  /* how much of the end of a head was seen at the end of the last read */
} connections[DESCRIPTORS];

static char buffer[READ_BYTES];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void load_answer(enum kind kind, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path);
  answers[kind].size = fread(answers[kind].bytes, 1, ANSWER_BYTES_MAX, file);
  fclose(file);
  for (int i = 1; i < BATCH; i++)
    memcpy(answers[kind].bytes + i * answers[kind].size, answers[kind].bytes, answers[kind].size);
}

static enum kind kind_of(size_t size) {
  const char *line_end = memchr(buffer, '\n', size);
  if (!line_end || line_end < buffer + 2 || line_end[-2] != '0') return KEEP_ALIVE;
  return memmem(buffer, size, "Keep-Alive", 10) ? KEEP_ALIVE_10 : CLOSE;
}

static int count_requests(int fd, size_t size) {
  static const char end[] = "\r\n\r\n";
  int count = 0, matched = connections[fd].matched;
  for (size_t i = 0; i < size; i++) {
    matched = buffer[i] == end[matched] ? matched + 1 : buffer[i] == '\r';
    if (matched == 4) count++, matched = 0;
  }
  connections[fd].matched = matched;
  return count;
}

/* Read once and answer; return whether the connection goes on. */
static int serve(int fd) {
  ssize_t size = read(fd, buffer, READ_BYTES);
  if (size < 0) return 1; /* nothing there yet */
  if (size == 0) return close(fd), 0;
  if (connections[fd].kind == UNKNOWN) connections[fd].kind = kind_of(size);
  int kind = connections[fd].kind;
  for (int count = count_requests(fd, size); count > 0; count -= BATCH) {
    size_t bytes = (count < BATCH ? count : BATCH) * answers[kind].size;
    if (send(fd, answers[kind].bytes, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) return close(fd), 0;
  }
  if (kind == CLOSE && connections[fd].matched == 0) return close(fd), 0;
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  for (int kind = KEEP_ALIVE; kind <= KEEP_ALIVE_10; kind++) load_answer(kind, argv[kind + 1]);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) fail("listen");
  int poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) fail("epoll_ctl");
  for (;;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd != listener) {
        serve(events[i].data.fd);
        continue;
      }
      int fd;
      while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= DESCRIPTORS) fail("too many descriptors");
        connections[fd].kind = UNKNOWN, connections[fd].matched = 0;
        event.data.fd = fd;
        if (serve(fd) && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
      }
    }
  }
}
