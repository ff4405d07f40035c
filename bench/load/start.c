/* From the start of a program to its first answer:  load start dialect=http|nats port=N -- PROGRAM ARGUMENT...
 * It is asked again and again from the first moment on. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS UINT64_C(20000000000)

static pid_t launch(char *const *command) {
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execv(command[0], command);
        _exit(127);
    }
    return pid;
}

/* A socket once the port is open. */
static int connect_soon(const struct options *options, uint64_t until) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    inet_pton(AF_INET, options->host, &address.sin_addr);
    while (now_ns() < until) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
        nap(50000);
    }
    die("it never took a connection");
}

static void ask(int fd, const char *question, const char *wanted) {
    char text[4096];
    size_t have = 0;
    socket_write_all(fd, question, strlen(question));
    while (have < sizeof text - 1) {
        ssize_t size = read(fd, text + have, sizeof text - 1 - have);
        if (size <= 0)
            die("no answer");
        have += (size_t)size;
        text[have] = '\0';
        if (strstr(text, wanted))
            return;
    }
    die("not the answer wanted: %s", text);
}

int load_start(const struct options *options) {
    if (!options->command || !options->command[0])
        die("start needs a program behind --");
    uint64_t start = now_ns();
    pid_t pid = launch(options->command);
    int fd = connect_soon(options, start + PATIENCE_NS);
    if (!strcmp(options->dialect, "nats"))
        ask(fd, "CONNECT {\"verbose\":false}\r\nSUB s 1\r\nPUB s 2\r\nhi\r\n", "\r\nhi\r\n");
    else
        ask(fd,
            "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /first\r\n"
            "ce-type: com.example.tick\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 202");
    printf("{\"start_ms\": %.3f}\n", (double)(now_ns() - start) / 1e6);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return 0;
}
