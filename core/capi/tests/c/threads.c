/* Threads: turns, cancels and deadlines, closing what runs. */
#include <pthread.h>

#include "check.h"

#define THREADS 8
#define ROUNDS 50

static char folder[64];
static dqlite_connection *db;

/* Runs for hours, unless somebody stops it. */
static const char endless[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

static void setting_up(void) {
    make_folder(folder);
    OK(dqlite_connect(folder, NULL, 0, NULL, &db, &error));
    OK(run(db, "CREATE TABLE t (who INTEGER, a INTEGER)", &error));
}

typedef struct worker {
    pthread_t thread;
    int number;
    dqlite_connection *connection;
    int failures;
} worker;

static void *write_and_read(void *arg) {
    worker *worker = arg;
    int at;
    for (at = 0; at < ROUNDS; at++) {
        uint8_t room[64];
        dqlite_writer set = dqlite_writer_start(room, sizeof room);
        dqlite_result result = {.size = sizeof result};
        dqlite_cursor *cursor = NULL;
        dqlite_error *error = NULL;
        const char *sql = "INSERT INTO t VALUES (?, ?) RETURNING who";
        dqlite_value value;
        dqlite_put_count(&set, 2);
        dqlite_put_integer(&set, worker->number);
        dqlite_put_integer(&set, at);
        if (dqlite_connection_execute(worker->connection, sql, strlen(sql), set.data, set.length,
                                      NULL, &cursor, &result, &error)
            != 0) {
            fprintf(stderr, "%s\n", dqlite_error_message(error));
            worker->failures++;
        } else {
            dqlite_reader rows = dqlite_reader_start(&result.batch);
            if (!dqlite_next_row(&rows) || !dqlite_next_value(&rows, &value)
                || value.integer != worker->number)
                worker->failures++;
        }
        dqlite_error_free(error);
        dqlite_cursor_close(cursor, NULL);
    }
    return NULL;
}

static void work(bool own_connections) {
    worker workers[THREADS];
    int at;
    for (at = 0; at < THREADS; at++) {
        workers[at] = (worker){.number = at, .connection = db};
        if (own_connections)
            OK(dqlite_connect(folder, NULL, 0, NULL, &workers[at].connection, &error));
        CHECK_INT(pthread_create(&workers[at].thread, NULL, write_and_read, &workers[at]), 0);
    }
    for (at = 0; at < THREADS; at++) {
        pthread_join(workers[at].thread, NULL);
        CHECK_INT(workers[at].failures, 0);
        if (own_connections)
            OK(dqlite_connection_close(workers[at].connection, &error));
    }
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), THREADS * ROUNDS);
    OK(run(db, "DELETE FROM t", &error));
}

static void threads_take_turns_on_a_connection(void) {
    work(false);
}

static void threads_have_connections_of_their_own(void) {
    work(true);
}

typedef struct runner {
    pthread_t thread;
    dqlite_operation *operation;
    int class_;
    char id[64];
    int outcome;
} runner;

static void *run_endless(void *arg) {
    runner *runner = arg;
    dqlite_error *error = NULL;
    int class_ = dqlite_connection_execute(db, endless, strlen(endless), NULL, 0,
                                           runner->operation, NULL, NULL, &error);
    __atomic_store_n(&runner->class_, class_, __ATOMIC_SEQ_CST);
    snprintf(runner->id, sizeof runner->id, "%s", dqlite_error_id(error));
    runner->outcome = dqlite_error_outcome(error);
    dqlite_error_free(error);
    return NULL;
}

static void pause_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void a_cancel_stops_its_own_call_and_no_other(void) {
    runner first = {.class_ = -1};
    dqlite_operation *other = NULL;
    bool open = false;
    OK(dqlite_operation_new(0, &first.operation, &error));
    OK(dqlite_operation_new(0, &other, &error));
    OK(dqlite_connection_begin(db, DQLITE_TRANSACTION_IMMEDIATE, NULL, &error));
    OK(run(db, "INSERT INTO t VALUES (1, 1)", &error));
    CHECK_INT(pthread_create(&first.thread, NULL, run_endless, &first), 0);
    pause_ms(50);
    OK(dqlite_operation_cancel(other, &error)); /* no effect on the call that runs */
    pause_ms(50);
    OK(dqlite_operation_cancel(first.operation, &error));
    pthread_join(first.thread, NULL);
    CHECK_INT(first.class_, DQLITE_CLASS_INTERRUPTED);
    CHECK_TEXT(first.id, DQLITE_ID_CALL_INTERRUPTED);
    CHECK_INT(first.outcome, DQLITE_OUTCOME_NOT_APPLIED);
    /* The transaction is open and usable. */
    OK(dqlite_connection_in_transaction(db, &open, &error));
    CHECK(open);
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), 1);
    OK(dqlite_connection_rollback(db, NULL, &error));
    /* What was cancelled stays so, also for a call to come. */
    FAILS(dqlite_connection_execute(db, "SELECT 1", 8, NULL, 0, other, NULL, NULL, &error),
          DQLITE_CLASS_INTERRUPTED, DQLITE_ID_CALL_INTERRUPTED);
    dqlite_operation_free(first.operation);
    dqlite_operation_free(other);
    CHECK_INT(number_of(db, "SELECT 1"), 1);
}

static void a_cancel_ends_who_waits_for_its_turn(void) {
    runner first = {.class_ = -1}, second = {.class_ = -1};
    OK(dqlite_operation_new(0, &first.operation, &error));
    OK(dqlite_operation_new(0, &second.operation, &error));
    CHECK_INT(pthread_create(&first.thread, NULL, run_endless, &first), 0);
    pause_ms(50);
    CHECK_INT(pthread_create(&second.thread, NULL, run_endless, &second), 0);
    pause_ms(50);
    OK(dqlite_operation_cancel(second.operation, &error));
    pthread_join(second.thread, NULL);
    CHECK_INT(second.class_, DQLITE_CLASS_INTERRUPTED);
    CHECK_INT(__atomic_load_n(&first.class_, __ATOMIC_SEQ_CST), -1);
    OK(dqlite_operation_cancel(first.operation, &error));
    pthread_join(first.thread, NULL);
    CHECK_INT(first.class_, DQLITE_CLASS_INTERRUPTED);
    dqlite_operation_free(first.operation);
    dqlite_operation_free(second.operation);
}

static void an_interrupt_stops_what_runs(void) {
    runner runner = {.class_ = -1};
    CHECK_INT(pthread_create(&runner.thread, NULL, run_endless, &runner), 0);
    pause_ms(100);
    OK(dqlite_connection_interrupt(db, &error));
    pthread_join(runner.thread, NULL);
    CHECK_INT(runner.class_, DQLITE_CLASS_INTERRUPTED);
    /* With nothing running it does nothing, to later calls neither. */
    OK(dqlite_connection_interrupt(db, &error));
    CHECK_INT(number_of(db, "SELECT 1"), 1);
}

static void a_deadline_ends_a_call(void) {
    runner runner = {.class_ = -1};
    double begun = seconds();
    OK(dqlite_operation_new(200, &runner.operation, &error));
    run_endless(&runner);
    CHECK_INT(runner.class_, DQLITE_CLASS_TIMEOUT);
    CHECK_TEXT(runner.id, DQLITE_ID_CALL_TIMEOUT);
    CHECK(seconds() - begun >= 0.2 && seconds() - begun < 20);
    FAILS(dqlite_connection_execute(db, "SELECT 1", 8, NULL, 0, runner.operation, NULL, NULL,
                                    &error),
          DQLITE_CLASS_TIMEOUT, DQLITE_ID_CALL_TIMEOUT);
    dqlite_operation_free(runner.operation);
    CHECK_INT(number_of(db, "SELECT 1"), 1);
}

static void a_deadline_ends_the_wait_for_a_batch(void) {
    const char *slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                       " SELECT i FROM n WHERE i <= 256 OR i % 1000000000000 = 0";
    dqlite_cursor *cursor = NULL;
    dqlite_result result = {.size = sizeof result};
    dqlite_operation *operation = NULL;
    OK(dqlite_connection_execute(db, slow, strlen(slow), NULL, 0, NULL, &cursor, &result, &error));
    CHECK_INT(result.batch.row_count, 256);
    OK(dqlite_operation_new(100, &operation, &error));
    FAILS(dqlite_cursor_next_batch(cursor, operation, &result.batch, &error), DQLITE_CLASS_TIMEOUT,
          DQLITE_ID_CALL_TIMEOUT);
    dqlite_operation_free(operation);
    OK(dqlite_cursor_close(cursor, &error));
}

static void an_operation_that_is_freed_does_not_stop_its_call(void) {
    dqlite_operation *operation = NULL;
    dqlite_cursor *cursor = NULL;
    dqlite_result result = {.size = sizeof result};
    OK(dqlite_operation_new(60000, &operation, &error));
    OK(dqlite_connection_execute(db, "SELECT 1", 8, NULL, 0, operation, &cursor, &result, &error));
    dqlite_operation_free(operation);
    OK(dqlite_cursor_next_batch(cursor, NULL, &result.batch, &error));
    OK(dqlite_cursor_close(cursor, &error));
}

static void closing_stops_what_runs(void) {
    runner runner = {.class_ = -1};
    CHECK_INT(pthread_create(&runner.thread, NULL, run_endless, &runner), 0);
    pause_ms(100);
    OK(dqlite_connection_close(db, &error));
    pthread_join(runner.thread, NULL);
    CHECK_INT(runner.class_, DQLITE_CLASS_INTERRUPTED);
    FAILS(run(db, "SELECT 1", &error), DQLITE_CLASS_PROGRAMMING, DQLITE_ID_CONNECTION_CLOSED);
    remove_folder(folder);
}

MAIN(TEST(setting_up), TEST(threads_take_turns_on_a_connection),
     TEST(threads_have_connections_of_their_own), TEST(a_cancel_stops_its_own_call_and_no_other),
     TEST(a_cancel_ends_who_waits_for_its_turn), TEST(an_interrupt_stops_what_runs),
     TEST(a_deadline_ends_a_call), TEST(a_deadline_ends_the_wait_for_a_batch),
     TEST(an_operation_that_is_freed_does_not_stop_its_call), TEST(closing_stops_what_runs))
