/* Feeds every file below the given folders to a fuzz target: the corpus as a regression test. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long count;

static int replay_file(const char *path, size_t size) {
    /* An exact-size block, so that the address sanitizer sees one byte too many. */
    uint8_t *data = malloc(size ? size : 1);
    FILE *file = fopen(path, "rb");
    int status = -1;
    if (data && file && fread(data, 1, size, file) == size) {
        (void)LLVMFuzzerTestOneInput(data, size);
        count++;
        status = 0;
    } else {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    if (file)
        fclose(file);
    free(data);
    return status;
}

static int replay_path(const char *path);

static int replay_folder(const char *path) {
    struct dirent **entries;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    int status = entry_count < 0 ? -1 : 0;
    for (int i = 0; i < entry_count; i++) {
        char inner[4096];
        if (entries[i]->d_name[0] != '.' &&
            (size_t)snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name) < sizeof inner)
            status |= replay_path(inner);
        free(entries[i]);
    }
    if (entry_count >= 0)
        free(entries);
    return status;
}

static int replay_path(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT)
            return 0; /* a target without a corpus yet */
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    return S_ISDIR(info.st_mode) ? replay_folder(path) : replay_file(path, (size_t)info.st_size);
}

int main(int argc, char **argv) {
    int status = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        status |= replay_path(argv[i]);
    printf("# replayed %lu inputs\n", count);
    return status ? 1 : 0;
}
