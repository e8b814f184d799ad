/* Connections to a node in this process: statements, rows, transactions, errors. */
#include "check.h"

static char folder[64];
static dqlite_connection *db;

static int execute(const char *sql, const dqlite_writer *set, dqlite_cursor **cursor,
                   dqlite_result *result, dqlite_error **error) {
    return dqlite_connection_execute(db, sql, strlen(sql), set == NULL ? NULL : set->data,
                                     set == NULL ? 0 : set->length, NULL, cursor, result, error);
}

static void a_folder_is_a_database(void) {
    make_folder(folder);
    dqlite_option options[] = {{DQLITE_OPTION_DATABASE, "app"}, {DQLITE_OPTION_TIMEOUT, "30s"}};
    const char *name = NULL;
    bool closed = true, autocommit = false;
    int convert = -1;
    OK(dqlite_connect(folder, options, 2, NULL, &db, &error));
    OK(dqlite_connection_database(db, &name, &error));
    CHECK_TEXT(name, "app");
    OK(dqlite_connection_closed(db, &closed, &error));
    CHECK(!closed);
    OK(dqlite_connection_autocommit(db, &autocommit, &error));
    CHECK(autocommit);
    OK(dqlite_connection_convert(db, &convert, &error));
    CHECK_INT(convert, DQLITE_CONVERT_NONE);
    OK(run(db, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL)", &error));
}

static void one_call_gives_effect_columns_and_rows(void) {
    uint8_t room[128];
    dqlite_result result = {.size = sizeof result};
    dqlite_cursor *cursor = (dqlite_cursor *)1;
    dqlite_writer set = dqlite_writer_start(room, sizeof room);
    uint64_t before = 0;
    dqlite_value value;
    dqlite_reader rows;

    OK(dqlite_connection_last_index(db, &before, &error));
    dqlite_put_count(&set, 2);
    dqlite_put_text(&set, "l\0mp", 4);
    dqlite_put_real(&set, 9.5);
    OK(execute("INSERT INTO item (name, price) VALUES (?, ?)", &set, &cursor, &result, &error));
    CHECK(cursor == NULL);
    CHECK_INT(result.row_count, 1);
    CHECK(result.has_last_row_id && result.last_row_id == 1);
    CHECK(result.column_count == 0 && result.columns == NULL && result.batch.length == 0);
    CHECK(!result.in_transaction && result.total_changes >= 1 && result.last_index > before);

    set = dqlite_writer_start(room, sizeof room);
    dqlite_put_named_count(&set, 1);
    dqlite_put_name(&set, "id", 2);
    dqlite_put_integer(&set, 1);
    OK(execute("SELECT id, name, price, NULL, x'00ff' AS b FROM item WHERE id = :id", &set, &cursor,
               &result, &error));
    CHECK_INT(result.row_count, -1);
    CHECK(!result.has_last_row_id);
    CHECK_INT(result.column_count, 5);
    CHECK_TEXT(result.columns[1].name, "name");
    CHECK_INT(result.columns[1].name_length, 4);
    CHECK_TEXT(result.columns[0].declared_type, "INTEGER");
    CHECK(result.columns[4].declared_type == NULL);
    CHECK(result.batch.row_count == 1 && result.batch.more == 0);
    rows = dqlite_reader_start(&result.batch);
    CHECK(dqlite_next_row(&rows));
    CHECK(dqlite_next_value(&rows, &value) && value.integer == 1);
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_TEXT && value.length == 4);
    CHECK(memcmp(value.data, "l\0mp", 4) == 0);
    CHECK(dqlite_next_value(&rows, &value) && value.real == 9.5);
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_NULL);
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_BLOB && value.length == 2);
    CHECK(!dqlite_next_row(&rows) && !dqlite_reader_failed(&rows));
    OK(dqlite_cursor_next_batch(cursor, NULL, &result.batch, &error));
    CHECK_INT(result.batch.length, 0);
    OK(dqlite_cursor_close(cursor, &error));

    /* Rows that nobody wants are let go. */
    OK(dqlite_connection_execute(db, "SELECT 1", 8, NULL, 0, NULL, NULL, NULL, &error));
}

static void large_results_come_in_batches(void) {
    const char *sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                      " SELECT i, 'text ' || i FROM n";
    dqlite_result result = {.size = sizeof result};
    dqlite_cursor *cursor = NULL;
    dqlite_value value;
    int64_t sum = 0, count = 0;
    int batches = 0;
    OK(execute(sql, NULL, &cursor, &result, &error));
    CHECK(result.batch.more == 1);
    while (result.batch.length > 0) {
        dqlite_reader rows = dqlite_reader_start(&result.batch);
        CHECK_INT(rows.rows, result.batch.row_count);
        batches++;
        while (dqlite_next_row(&rows)) {
            CHECK(dqlite_next_value(&rows, &value));
            sum += value.integer;
            count++;
        }
        CHECK(!dqlite_reader_failed(&rows));
        OK(dqlite_cursor_next_batch(cursor, NULL, &result.batch, &error));
    }
    CHECK_INT(count, 1000);
    CHECK_INT(sum, 500500);
    CHECK(batches > 3);
    OK(dqlite_cursor_close(cursor, &error));
    /* One that is closed before its end lets go of the rest, and the connection goes on. */
    OK(execute(sql, NULL, &cursor, &result, &error));
    OK(dqlite_cursor_close(cursor, &error));
    CHECK_INT(number_of(db, "SELECT 7"), 7);
}

static void cursors_are_used_again_and_side_by_side(void) {
    dqlite_cursor *first = NULL, *second = NULL;
    dqlite_result result = {.size = sizeof result};
    const dqlite_column *columns = NULL;
    size_t count = 9;
    int64_t number = 9;
    bool has_one = true;
    const char *many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
                       " SELECT i FROM n";
    OK(dqlite_connection_cursor(db, &first, &error));
    OK(dqlite_connection_cursor(db, &second, &error));
    OK(dqlite_cursor_columns(first, &columns, &count, &error));
    CHECK(count == 0 && columns == NULL);
    FAILS(dqlite_cursor_next_batch(first, NULL, &result.batch, &error), DQLITE_CLASS_PROGRAMMING,
          DQLITE_ID_CURSOR_NO_RESULT);
    OK(dqlite_cursor_execute(first, many, strlen(many), NULL, 0, NULL, &result, &error));
    CHECK(result.batch.more == 1);
    OK(dqlite_cursor_execute(second, "SELECT 5 AS five", 16, NULL, 0, NULL, &result, &error));
    OK(dqlite_cursor_columns(second, &columns, &count, &error));
    CHECK_INT(count, 1);
    CHECK_TEXT(columns[0].name, "five");
    OK(dqlite_cursor_next_batch(first, NULL, &result.batch, &error));
    CHECK(result.batch.row_count > 0);
    OK(dqlite_cursor_execute(first, "DELETE FROM item WHERE id > 1000", 32, NULL, 0, NULL, &result,
                             &error));
    OK(dqlite_cursor_row_count(first, &number, &error));
    CHECK_INT(number, 0);
    OK(dqlite_cursor_columns(first, &columns, &count, &error));
    CHECK_INT(count, 0);
    OK(dqlite_cursor_execute_script(first, "SELECT 1; SELECT 2", 18, NULL, &result, &error));
    OK(dqlite_cursor_row_count(first, &number, &error));
    CHECK_INT(number, -1);
    OK(dqlite_cursor_last_row_id(first, &number, &has_one, &error));
    CHECK(!has_one);
    OK(dqlite_cursor_close(first, &error));
    OK(dqlite_cursor_close(second, &error));
}

static void many_sets_are_one_transaction(void) {
    uint8_t room[256];
    dqlite_result result = {.size = sizeof result};
    dqlite_writer sets = dqlite_writer_start(room, sizeof room);
    const char *sql = "INSERT INTO item (name, price) VALUES (?, ?)";
    int at;
    dqlite_put_sets(&sets, 3);
    for (at = 0; at < 3; at++) {
        char name[] = {(char)('a' + at), 0};
        dqlite_put_count(&sets, 2);
        dqlite_put_text(&sets, name, 1);
        dqlite_put_integer(&sets, at);
    }
    OK(dqlite_connection_execute_many(db, sql, strlen(sql), sets.data, sets.length, NULL, &result,
                                      &error));
    CHECK_INT(result.row_count, 3);
    /* Once more: the first one violates the constraint. */
    FAILS(dqlite_connection_execute_many(db, sql, strlen(sql), sets.data, sets.length, NULL,
                                         &result, &error),
          DQLITE_CLASS_INTEGRITY, DQLITE_ID_CONSTRAINT_UNIQUE);
    CHECK_INT(number_of(db, "SELECT count(*) FROM item"), 4);
}

static void errors_say_all_there_is(void) {
    dqlite_error *error = NULL;
    dqlite_error_info info = {.size = sizeof info};
    bool committed = true;
    const char *sql = "INSERT INTO item (name) VALUES ('a')";
    CHECK_INT(run(db, sql, &error), DQLITE_CLASS_INTEGRITY);
    CHECK_TEXT(dqlite_error_id(error), "constraint.unique");
    CHECK_TEXT(dqlite_error_name(error), "SQLITE_CONSTRAINT_UNIQUE");
    CHECK_INT(dqlite_error_code(error), 2067);
    CHECK(strstr(dqlite_error_message(error), "item.name") != NULL);
    CHECK_INT(dqlite_error_retryable(error), DQLITE_RETRYABLE_NO);
    CHECK_INT(dqlite_error_outcome(error), DQLITE_OUTCOME_NOT_APPLIED);
    CHECK_INT(dqlite_error_describe(error, &info, NULL), 0);
    CHECK_TEXT(info.id, "constraint.unique");
    CHECK_TEXT(info.class_name, "IntegrityError");
    CHECK_INT(info.error_class, DQLITE_CLASS_INTEGRITY);
    CHECK_INT(info.can_resolve, 0);
    CHECK_INT(info.size, sizeof info);
    CHECK_INT(dqlite_error_resolve(error, NULL, &committed, NULL), 0);
    CHECK(!committed);
    dqlite_error_free(error);
    FAILS(run(db, "SELEC 1", &error), DQLITE_CLASS_OPERATIONAL, DQLITE_ID_SQL_ERROR);
    FAILS(run(db, "SELECT 1; SELECT 2", &error), DQLITE_CLASS_OPERATIONAL, DQLITE_ID_SQL_ERROR);
    FAILS(run(db, "SELECT ?", &error), DQLITE_CLASS_PROGRAMMING, DQLITE_ID_PARAMETER_MISMATCH);
    FAILS(dqlite_connection_execute(db, "SELECT '\xff'", 10, NULL, 0, NULL, NULL, NULL, &error),
          DQLITE_CLASS_DATA, DQLITE_ID_VALUE_TEXT);
    CHECK_INT(run(db, "SELEC 1", NULL), DQLITE_CLASS_OPERATIONAL);
}

static void parameters_that_are_malformed_are_refused(void) {
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"\x02", 1},                          /* a kind of set that there is not */
        {"\x00\x01\x00\x00\x00", 5},          /* a value that is not there */
        {"\x00\xff\xff\xff\xff\x00", 6},      /* a count that lies */
        {"\x00\x01\x00\x00\x00\x09", 6},      /* a kind of value that there is not */
        {"\x00\x01\x00\x00\x00\x03\xff\xff\xff\x7f" "a", 11}, /* a length that lies */
        {"\x00\x01\x00\x00\x00\x00\x00", 7},  /* bytes behind the last value */
        {"\x00\x01\x00\x00", 4},
    };
    size_t at;
    for (at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        /* Of its own size, so that a read behind it is noticed. */
        uint8_t *exact = malloc(wrong[at].length);
        memcpy(exact, wrong[at].bytes, wrong[at].length);
        FAILS(dqlite_connection_execute(db, "SELECT ?", 8, exact, wrong[at].length, NULL, NULL,
                                        NULL, &error),
              DQLITE_CLASS_INTERFACE, DQLITE_ID_ARGUMENT);
        free(exact);
    }
    FAILS(dqlite_connection_execute(db, "SELECT ?", 8,
                                    (const uint8_t *)"\x00\x01\x00\x00\x00\x03\x01\x00\x00\x00\xff",
                                    11, NULL, NULL, NULL, &error),
          DQLITE_CLASS_DATA, DQLITE_ID_VALUE_TEXT);
    FAILS(dqlite_connection_execute_many(db, "SELECT ?", 8, (const uint8_t *)"\x01", 1, NULL, NULL,
                                         &error),
          DQLITE_CLASS_INTERFACE, DQLITE_ID_ARGUMENT);
}

static void transactions_begin_commit_and_roll_back(void) {
    bool open = true, autocommit = false;
    uint64_t changes = 0;
    const char *script = "CREATE TABLE a (b); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);";
    OK(dqlite_connection_begin(db, DQLITE_TRANSACTION_IMMEDIATE, NULL, &error));
    OK(dqlite_connection_in_transaction(db, &open, &error));
    CHECK(open);
    OK(run(db, "DELETE FROM item", &error));
    OK(dqlite_connection_rollback(db, NULL, &error));
    OK(dqlite_connection_in_transaction(db, &open, &error));
    CHECK(!open);
    CHECK_INT(number_of(db, "SELECT count(*) FROM item"), 4);
    FAILS(dqlite_connection_begin(db, 3, NULL, &error), DQLITE_CLASS_INTERFACE, DQLITE_ID_ARGUMENT);
    OK(dqlite_connection_commit(db, NULL, &error));

    OK(dqlite_connection_set_autocommit(db, false, NULL, &error));
    OK(run(db, "INSERT INTO item (name) VALUES ('d')", &error));
    OK(dqlite_connection_in_transaction(db, &open, &error));
    CHECK(open);
    OK(dqlite_connection_set_autocommit(db, true, NULL, &error));
    OK(dqlite_connection_autocommit(db, &autocommit, &error));
    CHECK(autocommit);
    CHECK_INT(number_of(db, "SELECT count(*) FROM item"), 5);
    OK(dqlite_connection_total_changes(db, &changes, &error));
    CHECK(changes >= 5);
    OK(dqlite_connection_execute_script(db, script, strlen(script), NULL, NULL, &error));
    CHECK_INT(number_of(db, "SELECT sum(b) FROM a"), 3);
}

typedef struct body_plan {
    int calls;
    int answer;
    const char *sql;
} body_plan;

static int body(void *arg, dqlite_connection *connection, dqlite_error **error) {
    body_plan *plan = arg;
    bool open = false;
    plan->calls++;
    dqlite_connection_in_transaction(connection, &open, NULL);
    CHECK(open);
    if (run(connection, plan->sql, error) != 0)
        return 1;
    return plan->answer;
}

static void a_transaction_runs_its_body(void) {
    body_plan plan = {0, 0, "INSERT INTO a VALUES (3)"};
    OK(dqlite_connection_transaction(db, DQLITE_TRANSACTION_DEFERRED, body, &plan, NULL, &error));
    CHECK_INT(plan.calls, 1);
    CHECK_INT(number_of(db, "SELECT sum(b) FROM a"), 6);
    plan.answer = 5;
    FAILS(dqlite_connection_transaction(db, DQLITE_TRANSACTION_IMMEDIATE, body, &plan, NULL, &error),
          DQLITE_CLASS_OPERATIONAL, DQLITE_ID_TRANSACTION_ABORTED);
    plan.sql = "INSERT INTO item (name) VALUES ('a')";
    FAILS(dqlite_connection_transaction(db, DQLITE_TRANSACTION_IMMEDIATE, body, &plan, NULL, &error),
          DQLITE_CLASS_INTEGRITY, DQLITE_ID_CONSTRAINT_UNIQUE);
    CHECK_INT(plan.calls, 3);
    CHECK_INT(number_of(db, "SELECT sum(b) FROM a"), 6);
    FAILS(dqlite_connection_transaction(db, 0, NULL, NULL, NULL, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_ARGUMENT);
}

static void hear(void *arg, uint64_t remaining, uint64_t total) {
    uint64_t *heard = arg;
    CHECK(remaining <= total && total > 0);
    heard[0]++;
    heard[1] = remaining;
}

static void a_backup_is_a_database(void) {
    char path[128];
    uint64_t heard[2] = {0, 99};
    struct stat found;
    snprintf(path, sizeof path, "%s/backup.db", folder);
    OK(dqlite_connection_backup(db, path, hear, heard, NULL, &error));
    CHECK(heard[0] > 0 && heard[1] == 0);
    CHECK(stat(path, &found) == 0 && found.st_size >= 4096);
    OK(dqlite_connection_backup(db, path, NULL, NULL, NULL, &error));
    FAILS(dqlite_connection_backup(db, "/nowhere/backup.db", NULL, NULL, NULL, &error),
          DQLITE_CLASS_OPERATIONAL, DQLITE_ID_CANNOT_OPEN);
}

static void connections_share_the_folder(void) {
    dqlite_option options[] = {{"database", "app"}, {"consistency", "session"}};
    dqlite_connection *other = NULL;
    uint64_t index = 0;
    OK(dqlite_connect(folder, options, 2, NULL, &other, &error));
    OK(run(db, "INSERT INTO a VALUES (4)", &error));
    OK(dqlite_connection_last_index(db, &index, &error));
    OK(dqlite_connection_wait_for(other, index, NULL, &error));
    CHECK_INT(number_of(other, "SELECT sum(b) FROM a"), 10);
    OK(dqlite_connection_close(other, &error));
}

static void options_that_cannot_be_are_named(void) {
    dqlite_connection *none = (dqlite_connection *)1;
    dqlite_option unknown[] = {{"databse", "app"}};
    dqlite_option value[] = {{"timeout", "soon"}};
    dqlite_option twice[] = {{"retry", "true"}, {"retry", "false"}};
    dqlite_option null[] = {{"retry", NULL}};
    FAILS(dqlite_connect(folder, unknown, 1, NULL, &none, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_OPTION_UNKNOWN);
    CHECK(none == NULL);
    FAILS(dqlite_connect(folder, value, 1, NULL, &none, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_OPTION_VALUE);
    FAILS(dqlite_connect(folder, twice, 2, NULL, &none, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_OPTION_REPEATED);
    FAILS(dqlite_connect(folder, null, 1, NULL, &none, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_ARGUMENT);
    FAILS(dqlite_connect("dqlite://", NULL, 0, NULL, &none, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_TARGET);
}

static void closed_is_closed(void) {
    dqlite_cursor *cursor = NULL;
    dqlite_result result = {.size = sizeof result};
    bool closed = false;
    OK(execute("SELECT 1", NULL, &cursor, &result, &error));
    OK(dqlite_connection_close(db, &error));
    OK(dqlite_connection_close(db, &error));
    OK(dqlite_connection_closed(db, &closed, &error));
    CHECK(closed);
    FAILS(run(db, "SELECT 1", &error), DQLITE_CLASS_PROGRAMMING, DQLITE_ID_CONNECTION_CLOSED);
    FAILS(dqlite_cursor_next_batch(cursor, NULL, &result.batch, &error), DQLITE_CLASS_PROGRAMMING,
          DQLITE_ID_CONNECTION_CLOSED);
    OK(dqlite_cursor_close(cursor, &error));
    remove_folder(folder);
}

MAIN(TEST(a_folder_is_a_database), TEST(one_call_gives_effect_columns_and_rows),
     TEST(large_results_come_in_batches), TEST(cursors_are_used_again_and_side_by_side),
     TEST(many_sets_are_one_transaction), TEST(errors_say_all_there_is),
     TEST(parameters_that_are_malformed_are_refused), TEST(transactions_begin_commit_and_roll_back),
     TEST(a_transaction_runs_its_body), TEST(a_backup_is_a_database),
     TEST(connections_share_the_folder), TEST(options_that_cannot_be_are_named),
     TEST(closed_is_closed))
