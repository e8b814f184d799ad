/* Handles that are none, arguments that are missing: errors, never harm. */
#include "check.h"

static char folder[64];
static dqlite_connection *db;

#define HANDLE(call) FAILS(call, DQLITE_CLASS_INTERFACE, DQLITE_ID_HANDLE)
#define ARGUMENT(call) FAILS(call, DQLITE_CLASS_INTERFACE, DQLITE_ID_ARGUMENT)

static void setting_up(void) {
    make_folder(folder);
    OK(dqlite_connect(folder, NULL, 0, NULL, &db, &error));
    OK(run(db, "CREATE TABLE t (a)", &error));
}

static void null_is_no_handle(void) {
    dqlite_result result = {.size = sizeof result};
    dqlite_batch batch;
    dqlite_cursor *cursor;
    dqlite_cluster *cluster;
    const dqlite_member *members;
    const char *text;
    size_t count;
    bool flag;
    uint64_t number;
    int64_t signed_number;
    HANDLE(run(NULL, "SELECT 1", &error));
    HANDLE(dqlite_connection_cursor(NULL, &cursor, &error));
    HANDLE(dqlite_connection_interrupt(NULL, &error));
    HANDLE(dqlite_connection_closed(NULL, &flag, &error));
    HANDLE(dqlite_connection_in_transaction(NULL, &flag, &error));
    HANDLE(dqlite_connection_begin(NULL, 0, NULL, &error));
    HANDLE(dqlite_connection_commit(NULL, NULL, &error));
    HANDLE(dqlite_connection_rollback(NULL, NULL, &error));
    HANDLE(dqlite_connection_backup(NULL, "/tmp/x", NULL, NULL, NULL, &error));
    HANDLE(dqlite_connection_last_index(NULL, &number, &error));
    HANDLE(dqlite_cursor_next_batch(NULL, NULL, &batch, &error));
    HANDLE(dqlite_cursor_row_count(NULL, &signed_number, &error));
    HANDLE(dqlite_cursor_execute(NULL, "SELECT 1", 8, NULL, 0, NULL, &result, &error));
    HANDLE(dqlite_embedded_id(NULL, &number, &error));
    HANDLE(dqlite_embedded_address(NULL, &text, &error));
    HANDLE(dqlite_embedded_cluster(NULL, &cluster, &error));
    HANDLE(dqlite_cluster_members(NULL, NULL, &members, &count, &error));
    HANDLE(dqlite_cluster_remove(NULL, 1, NULL, &error));
    /* What closes takes it. */
    OK(dqlite_connection_close(NULL, &error));
    OK(dqlite_cursor_close(NULL, &error));
    OK(dqlite_embedded_stop(NULL, &error));
    OK(dqlite_cluster_close(NULL, &error));
    OK(dqlite_release(NULL, &error));
    OK(dqlite_operation_cancel(NULL, &error));
    dqlite_operation_free(NULL);
    dqlite_error_free(NULL);
    CHECK_TEXT(dqlite_error_id(NULL), "");
    CHECK_TEXT(dqlite_error_message(NULL), "");
    CHECK_INT(dqlite_error_code(NULL), 0);
}

static void a_handle_of_another_kind_is_none(void) {
    dqlite_cursor *cursor = NULL;
    dqlite_batch batch;
    int local = 0;
    void *wrong[] = {db, &local, (void *)1, (void *)-1, malloc(64), folder};
    size_t at;
    for (at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        HANDLE(dqlite_cursor_next_batch(wrong[at], NULL, &batch, &error));
        HANDLE(dqlite_cursor_close(wrong[at], &error));
        HANDLE(dqlite_cluster_remove(wrong[at], 1, NULL, &error));
        HANDLE(dqlite_embedded_ready(wrong[at], NULL, &error));
        HANDLE(dqlite_connection_commit(db, wrong[at], &error));
        HANDLE(dqlite_operation_cancel(wrong[at], &error));
        CHECK_TEXT(dqlite_error_id(wrong[at]), "");
        dqlite_error_free(wrong[at]);
        dqlite_operation_free(wrong[at]);
        CHECK_INT(dqlite_node_start(wrong[at]), DQLITE_MISUSE);
        CHECK(strlen(dqlite_node_errmsg(wrong[at])) > 0);
        dqlite_node_destroy(wrong[at]);
        CHECK(dqlite_server_start(wrong[at]) != 0);
        if (wrong[at] != (void *)db)
            HANDLE(dqlite_connection_close(wrong[at], &error));
    }
    ARGUMENT(dqlite_release(&local, &error));
    free(wrong[4]);
    OK(dqlite_connection_cursor(db, &cursor, &error));
    HANDLE(run((dqlite_connection *)cursor, "SELECT 1", &error));
    HANDLE(dqlite_connection_close((dqlite_connection *)cursor, &error));
    OK(dqlite_cursor_close(cursor, &error));
}

static void use_after_close_is_an_error(void) {
    dqlite_cursor *cursor = NULL, *later[64];
    dqlite_operation *operation = NULL;
    dqlite_batch batch;
    dqlite_error *error = NULL;
    size_t at;
    OK(dqlite_connection_cursor(db, &cursor, &error));
    OK(dqlite_cursor_close(cursor, &error));
    OK(dqlite_cursor_close(cursor, &error));
    FAILS(dqlite_cursor_next_batch(cursor, NULL, &batch, &error), DQLITE_CLASS_PROGRAMMING,
          DQLITE_ID_CURSOR_CLOSED);
    /* Its place is used again, and the old handle still means nothing. */
    for (at = 0; at < 64; at++) {
        OK(dqlite_connection_cursor(db, &later[at], &error));
        CHECK(later[at] != cursor);
    }
    FAILS(dqlite_cursor_execute(cursor, "SELECT 1", 8, NULL, 0, NULL, NULL, &error),
          DQLITE_CLASS_PROGRAMMING, DQLITE_ID_CURSOR_CLOSED);
    for (at = 0; at < 64; at++)
        OK(dqlite_cursor_close(later[at], &error));

    OK(dqlite_operation_new(0, &operation, &error));
    dqlite_operation_free(operation);
    dqlite_operation_free(operation);
    HANDLE(dqlite_operation_cancel(operation, &error));
    HANDLE(dqlite_connection_commit(db, operation, &error));

    CHECK(run(db, "SELEC", &error) != 0);
    dqlite_error_free(error);
    CHECK_TEXT(dqlite_error_id(error), "");
    CHECK_INT(dqlite_error_class(error), 0);
    dqlite_error_free(error);
}

static void missing_arguments_are_refused(void) {
    dqlite_result no_size = {.size = 0};
    dqlite_cursor *cursor = NULL;
    dqlite_connection *connection = NULL;
    dqlite_error_info small = {.size = 8};
    dqlite_error *failed = NULL;
    const char *sql = "INSERT INTO t VALUES (1)";
    ARGUMENT(dqlite_connect(NULL, NULL, 0, NULL, &connection, &error));
    ARGUMENT(dqlite_connect(folder, NULL, 0, NULL, NULL, &error));
    ARGUMENT(dqlite_connect(folder, NULL, 1, NULL, &connection, &error));
    ARGUMENT(dqlite_connect("\xff", NULL, 0, NULL, &connection, &error));
    ARGUMENT(dqlite_connection_execute(db, NULL, 8, NULL, 0, NULL, NULL, NULL, &error));
    ARGUMENT(dqlite_connection_execute(db, sql, strlen(sql), NULL, 5, NULL, NULL, NULL, &error));
    ARGUMENT(dqlite_connection_execute(db, sql, SIZE_MAX, NULL, 0, NULL, NULL, NULL, &error));
    /* Refused before it has an effect. */
    ARGUMENT(dqlite_connection_execute(db, sql, strlen(sql), NULL, 0, NULL, &cursor, &no_size,
                                       &error));
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), 0);
    FAILS(dqlite_connection_execute(db, NULL, 0, NULL, 0, NULL, NULL, NULL, &error),
          DQLITE_CLASS_INTERFACE, DQLITE_ID_MISUSE);
    ARGUMENT(dqlite_connection_cursor(db, NULL, &error));
    ARGUMENT(dqlite_cursor_next_batch(NULL, NULL, NULL, &error));
    ARGUMENT(dqlite_connection_in_transaction(db, NULL, &error));
    ARGUMENT(dqlite_connection_backup(db, NULL, NULL, NULL, NULL, &error));
    ARGUMENT(dqlite_operation_new(0, NULL, &error));
    ARGUMENT(dqlite_cluster_open(NULL, NULL, 0, NULL, &error));
    CHECK(run(db, "SELEC", &failed) != 0);
    ARGUMENT(dqlite_error_describe(failed, NULL, &error));
    ARGUMENT(dqlite_error_describe(failed, &small, &error));
    ARGUMENT(dqlite_error_resolve(failed, NULL, NULL, &error));
    dqlite_error_free(failed);
}

static void the_error_is_null_after_success(void) {
    dqlite_error *error = (dqlite_error *)1;
    CHECK_INT(run(db, "SELECT 1", &error), 0);
    CHECK(error == NULL);
    CHECK_INT(dqlite_version_number(), DQLITE_VERSION_NUMBER);
    CHECK_TEXT(dqlite_version_string, "1.18.6");
    CHECK_INT(dqlite_api_version(), DQLITE_API_VERSION);
    OK(dqlite_connection_close(db, &error));
    remove_folder(folder);
}

MAIN(TEST(setting_up), TEST(null_is_no_handle), TEST(a_handle_of_another_kind_is_none),
     TEST(use_after_close_is_an_error), TEST(missing_arguments_are_refused),
     TEST(the_error_is_null_after_success))
