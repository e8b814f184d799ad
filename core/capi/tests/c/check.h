/* A test is a function; a program runs its tests in order and ends with "N passed, N failed". */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dqlite.h"
#include "dqlite_values.h"

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

static int check_failures;

static inline void check_fail(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    __atomic_add_fetch(&check_failures, 1, __ATOMIC_SEQ_CST);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_fail(__FILE__, __LINE__, "not so: %s", #condition);                              \
    } while (0)

#define CHECK_INT(found, expected)                                                                 \
    do {                                                                                           \
        long long found_ = (long long)(found), expected_ = (long long)(expected);                  \
        if (found_ != expected_)                                                                   \
            check_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #found, found_, expected_);     \
    } while (0)

#define CHECK_TEXT(found, expected)                                                                \
    do {                                                                                           \
        const char *found_ = (found);                                                              \
        if (found_ == NULL || strcmp(found_, (expected)) != 0)                                     \
            check_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #found,                     \
                       found_ == NULL ? "(NULL)" : found_, (expected));                            \
    } while (0)

/* The call succeeds. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        dqlite_error *error = NULL;                                                                \
        int class_ = (call);                                                                       \
        if (class_ != 0 || error != NULL)                                                          \
            check_fail(__FILE__, __LINE__, "%s: %d, %s: %s", #call, class_,                        \
                       dqlite_error_id(error), dqlite_error_message(error));                       \
        dqlite_error_free(error);                                                                  \
    } while (0)

/* The call fails with this class and this id. */
#define FAILS(call, expected_class, expected_id)                                                   \
    do {                                                                                           \
        dqlite_error *error = NULL;                                                                \
        int class_ = (call);                                                                       \
        CHECK_INT(class_, (expected_class));                                                       \
        CHECK_INT(dqlite_error_class(error), (expected_class));                                    \
        CHECK_TEXT(dqlite_error_id(error), (expected_id));                                         \
        dqlite_error_free(error);                                                                  \
    } while (0)

static inline int check_run(const check_test *tests, size_t count, int argc, char **argv) {
    int passed = 0, failed = 0;
    size_t at;
    for (at = 0; at < count; at++) {
        int before = check_failures;
        if (argc > 1 && strstr(tests[at].name, argv[1]) == NULL)
            continue;
        tests[at].run();
        if (check_failures == before)
            passed++;
        else
            failed++;
        printf("test %s ... %s\n", tests[at].name, check_failures == before ? "ok" : "FAILED");
        fflush(stdout);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

#define TEST(name)                                                                                 \
    { #name, name }

#define MAIN(...)                                                                                  \
    int main(int argc, char **argv) {                                                              \
        static const check_test tests[] = {__VA_ARGS__};                                           \
        return check_run(tests, sizeof tests / sizeof tests[0], argc, argv);                       \
    }

/* A new folder; `path` has room for it. */
static inline void make_folder(char path[64]) {
    strcpy(path, "/tmp/dqlite-c-XXXXXX");
    if (mkdtemp(path) == NULL)
        check_fail(__FILE__, __LINE__, "mkdtemp: %s", strerror(errno));
}

static inline int remove_entry(const char *path, const struct stat *s, int kind, struct FTW *at) {
    (void)s, (void)kind, (void)at;
    return remove(path);
}

static inline void remove_folder(const char *path) {
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        check_fail(__FILE__, __LINE__, "cannot remove %s: %s", path, strerror(errno));
}

static inline double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Runs a statement that needs no parameters and whose rows are of no interest. */
static inline int run(dqlite_connection *connection, const char *sql, dqlite_error **error) {
    return dqlite_connection_execute(connection, sql, strlen(sql), NULL, 0, NULL, NULL, NULL, error);
}

/* The first value of the first row, which must be an integer. */
static inline int64_t number_of(dqlite_connection *connection, const char *sql) {
    dqlite_cursor *cursor = NULL;
    dqlite_result result = {.size = sizeof result};
    dqlite_error *error = NULL;
    dqlite_value value = {0};
    int class_ = dqlite_connection_execute(connection, sql, strlen(sql), NULL, 0, NULL, &cursor,
                                           &result, &error);
    if (class_ != 0) {
        check_fail(__FILE__, __LINE__, "%s: %s", sql, dqlite_error_message(error));
    } else {
        dqlite_reader rows = dqlite_reader_start(&result.batch);
        if (!dqlite_next_row(&rows) || !dqlite_next_value(&rows, &value)
            || value.kind != DQLITE_INTEGER)
            check_fail(__FILE__, __LINE__, "%s: no integer", sql);
    }
    dqlite_error_free(error);
    dqlite_cursor_close(cursor, NULL);
    return value.integer;
}

#endif
