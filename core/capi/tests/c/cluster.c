/* Nodes of this process that make a cluster, asked as one; what is left when a majority is gone. */
#include "check.h"

#define NODES 3

static char folder[64];
static char folders[NODES][80];
static char addresses[NODES][64];
static dqlite_embedded *nodes[NODES];
static dqlite_connection *db;
static dqlite_cluster *cluster;

static void start(int number, const char *join) {
    char id[16];
    dqlite_option options[] = {
        {DQLITE_OPTION_ADDRESS, addresses[number]}, {DQLITE_OPTION_ID, id},
        {DQLITE_OPTION_FAILURE_DOMAIN, id},         {DQLITE_OPTION_HEARTBEAT, "100ms"},
        {DQLITE_OPTION_ELECTION_TIMEOUT, "1s"},     {DQLITE_OPTION_JOIN, join},
    };
    snprintf(id, sizeof id, "%d", number + 1);
    OK(dqlite_embedded_start(folders[number], options, join == NULL ? 5 : 6, &nodes[number],
                             &error));
}

static void a_cluster_grows(void) {
    dqlite_operation *limit = NULL;
    int at;
    make_folder(folder);
    for (at = 0; at < NODES; at++) {
        snprintf(folders[at], sizeof folders[at], "%s/%d", folder, at + 1);
        /* Abstract names need no free port. */
        snprintf(addresses[at], sizeof addresses[at], "@dqlite-c-%d-%d", (int)getpid(), at + 1);
        start(at, at == 0 ? NULL : addresses[0]);
        OK(dqlite_operation_new(60000, &limit, &error));
        OK(dqlite_embedded_ready(nodes[at], limit, &error));
        dqlite_operation_free(limit);
    }
    OK(dqlite_embedded_connect(nodes[0], "app", NULL, 0, &db, &error));
    OK(run(db, "CREATE TABLE t (a)", &error));
    OK(run(db, "INSERT INTO t VALUES (1), (2)", &error));
}

static void a_node_tells_how_it_is(void) {
    const dqlite_status *status = NULL;
    const char *address = NULL;
    uint64_t id = 0;
    OK(dqlite_embedded_id(nodes[0], &id, &error));
    CHECK_INT(id, 1);
    OK(dqlite_embedded_address(nodes[0], &address, &error));
    CHECK_TEXT(address, addresses[0]);
    OK(dqlite_embedded_status(nodes[0], &status, &error));
    CHECK_INT(status->size, sizeof *status);
    CHECK_INT(status->id, 1);
    CHECK_INT(status->role, DQLITE_ROLE_VOTER);
    CHECK_INT(status->leader_id, 1);
    CHECK(status->applied_index > 0 && status->term > 0);
    CHECK_INT(status->database_count, 1);
    CHECK_TEXT(status->databases[0].name, "app");
    CHECK(status->databases[0].page_count >= 2);
    OK(dqlite_release(status, &error));
    FAILS(dqlite_release(status, &error), DQLITE_CLASS_INTERFACE, DQLITE_ID_ARGUMENT);
}

static void options_that_a_node_cannot_have_are_refused(void) {
    dqlite_embedded *none = NULL;
    dqlite_connection *connection = NULL;
    dqlite_option taken[] = {{"address", "@elsewhere"}};
    dqlite_option database[] = {{"database", "b"}};
    FAILS(dqlite_embedded_start(folders[0], NULL, 0, &none, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_OPTION_VALUE);
    FAILS(dqlite_embedded_start(folders[0], taken, 1, &none, &error), DQLITE_CLASS_OPERATIONAL,
          DQLITE_ID_NODE_DATA_DIRECTORY_IN_USE);
    CHECK(none == NULL);
    FAILS(dqlite_embedded_connect(nodes[0], "a", database, 1, &connection, &error),
          DQLITE_CLASS_INTERFACE, DQLITE_ID_OPTION_VALUE);
}

static void the_cluster_tells_who_is_in_it(void) {
    const dqlite_member *members = NULL, *leader = NULL;
    const dqlite_database_status *databases = NULL;
    dqlite_metadata metadata = {.size = sizeof metadata};
    size_t count = 0;
    int at, voters = 0;
    char path[128];
    struct stat found;
    OK(dqlite_embedded_cluster(nodes[1], &cluster, &error));
    OK(dqlite_cluster_members(cluster, NULL, &members, &count, &error));
    CHECK_INT(count, NODES);
    for (at = 0; at < (int)count; at++) {
        CHECK_INT(members[at].id, at + 1);
        CHECK_TEXT(members[at].address, addresses[at]);
        voters += members[at].role == DQLITE_ROLE_VOTER;
    }
    CHECK_INT(voters, 3);
    OK(dqlite_release(members, &error));
    OK(dqlite_cluster_leader(cluster, NULL, &leader, &error));
    CHECK_INT(leader->id, 1);
    OK(dqlite_release(leader, &error));
    OK(dqlite_cluster_describe(cluster, addresses[1], NULL, &metadata, &error));
    CHECK_INT(metadata.failure_domain, 2);
    OK(dqlite_cluster_weight(cluster, addresses[1], 7, NULL, &error));
    OK(dqlite_cluster_describe(cluster, addresses[1], NULL, &metadata, &error));
    CHECK_INT(metadata.weight, 7);
    OK(dqlite_cluster_databases(cluster, NULL, &databases, &count, &error));
    CHECK_INT(count, 1);
    CHECK_TEXT(databases[0].name, "app");
    OK(dqlite_release(databases, &error));
    snprintf(path, sizeof path, "%s/dump.db", folder);
    OK(dqlite_cluster_dump(cluster, "app", path, NULL, &error));
    CHECK(stat(path, &found) == 0 && found.st_size >= 8192);
    FAILS(dqlite_cluster_dump(cluster, "nothing", path, NULL, &error), DQLITE_CLASS_PROGRAMMING,
          DQLITE_ID_DATABASE_MISSING);
}

static void roles_are_given_and_members_removed(void) {
    FAILS(dqlite_cluster_assign(cluster, 3, 9, NULL, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_ARGUMENT);
    OK(dqlite_cluster_assign(cluster, 3, DQLITE_ROLE_SPARE, NULL, &error));
    OK(dqlite_cluster_assign(cluster, 3, DQLITE_ROLE_VOTER, NULL, &error));
    OK(dqlite_cluster_transfer(cluster, 2, NULL, &error));
    CHECK_INT(number_of(db, "SELECT sum(a) FROM t"), 3);
    OK(dqlite_cluster_remove(cluster, 3, NULL, &error));
    OK(dqlite_embedded_stop(nodes[2], &error));
    OK(dqlite_embedded_stop(nodes[2], &error));
    FAILS(dqlite_embedded_handover(nodes[2], NULL, &error), DQLITE_CLASS_PROGRAMMING,
          DQLITE_ID_NODE_STOPPED);
}

static void a_node_without_a_majority_times_out_and_is_recovered(void) {
    dqlite_operation *limit = NULL;
    dqlite_member alone = {.id = 1, .role = DQLITE_ROLE_VOTER};
    alone.address = addresses[0];
    OK(dqlite_embedded_stop(nodes[1], &error));
    OK(dqlite_operation_new(500, &limit, &error));
    {
        dqlite_error *error = NULL;
        int class_ = dqlite_connection_execute(db, "INSERT INTO t VALUES (9)", 24, NULL, 0, limit,
                                               NULL, NULL, &error);
        CHECK(class_ == DQLITE_CLASS_TIMEOUT || class_ == DQLITE_CLASS_UNAVAILABLE
              || class_ == DQLITE_CLASS_OUTCOME_UNKNOWN);
        dqlite_error_free(error);
    }
    dqlite_operation_free(limit);
    OK(dqlite_connection_close(db, &error));
    OK(dqlite_cluster_close(cluster, &error));
    OK(dqlite_embedded_stop(nodes[0], &error));
    FAILS(dqlite_recover("/nowhere", &alone, 1, &error), DQLITE_CLASS_INTERFACE,
          DQLITE_ID_OPTION_VALUE);
    OK(dqlite_recover(folders[0], &alone, 1, &error));
    start(0, NULL);
    OK(dqlite_embedded_ready(nodes[0], NULL, &error));
    OK(dqlite_embedded_connect(nodes[0], "app", NULL, 0, &db, &error));
    CHECK(number_of(db, "SELECT sum(a) FROM t WHERE a < 9") == 3);
    OK(dqlite_connection_close(db, &error));
    FAILS(dqlite_embedded_handover(nodes[0], NULL, &error), DQLITE_CLASS_UNAVAILABLE,
          DQLITE_ID_CLUSTER_UNAVAILABLE);
    OK(dqlite_embedded_stop(nodes[0], &error));
    remove_folder(folder);
}

MAIN(TEST(a_cluster_grows), TEST(a_node_tells_how_it_is),
     TEST(options_that_a_node_cannot_have_are_refused), TEST(the_cluster_tells_who_is_in_it),
     TEST(roles_are_given_and_members_removed),
     TEST(a_node_without_a_majority_times_out_and_is_recovered))
