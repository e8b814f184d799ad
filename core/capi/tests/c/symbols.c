/* Two SQLites in one program: libdqlite.a keeps its own, whatever else is linked. */
#include <sqlite3.h>

#include "check.h"

static char folder[64];
static dqlite_connection *db;

static int64_t ask(dqlite_connection *connection, const char *sql) {
    return number_of(connection, sql);
}

static void both_answer_for_themselves(void) {
    sqlite3 *other = NULL;
    sqlite3_stmt *statement = NULL;
    int ours, theirs = 0;
    make_folder(folder);
    OK(dqlite_connect(folder, NULL, 0, NULL, &db, &error));
    CHECK_INT(sqlite3_open(":memory:", &other), SQLITE_OK);
    while (sqlite3_compileoption_get(theirs) != NULL)
        theirs++;
    ours = (int)ask(db, "SELECT count(*) FROM pragma_compile_options");
    printf("compile options: %d in libdqlite, %d in the other SQLite\n", ours, theirs);
    CHECK(ours > 0 && theirs > 0 && ours != theirs);
    /* An option that only one of them has. */
    CHECK_INT(ask(db, "SELECT count(*) FROM pragma_compile_options"
                      " WHERE compile_options = 'DEFAULT_FOREIGN_KEYS'"),
              1);
    CHECK_INT(sqlite3_compileoption_used("DEFAULT_FOREIGN_KEYS"), 0);
    CHECK_INT(sqlite3_prepare_v2(other, "SELECT sqlite_version()", -1, &statement, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
    CHECK_TEXT((const char *)sqlite3_column_text(statement, 0), sqlite3_libversion());
    sqlite3_finalize(statement);
    sqlite3_close(other);
    OK(dqlite_connection_close(db, &error));
    remove_folder(folder);
}

MAIN(TEST(both_answer_for_themselves))
