/* dqlite's dqlite_server: servers that find their cluster by themselves. */
#include "check.h"

static char folder[64];

#define SERVER_OK(server, call)                                                                    \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            check_fail(__FILE__, __LINE__, "%s: %s", #call, dqlite_server_errmsg(server));         \
    } while (0)

static void servers_begin_and_join(void) {
    dqlite_server *servers[3];
    dqlite_node_id ids[3];
    dqlite_connection *db = NULL;
    char path[128], addresses[3][64], url[96];
    const char *seeds[1];
    int at;
    make_folder(folder);
    for (at = 0; at < 3; at++) {
        snprintf(path, sizeof path, "%s/%d", folder, at);
        CHECK_INT(mkdir(path, 0700), 0);
        snprintf(addresses[at], sizeof addresses[at], "@dqlite-c-server-%d-%d", (int)getpid(), at);
        SERVER_OK(servers[at], dqlite_server_create(path, &servers[at]));
        SERVER_OK(servers[at], dqlite_server_set_address(servers[at], addresses[at]));
        seeds[0] = addresses[0];
        if (at == 0)
            SERVER_OK(servers[at], dqlite_server_set_auto_bootstrap(servers[at], true));
        else
            SERVER_OK(servers[at], dqlite_server_set_auto_join(servers[at], seeds, 1));
        CHECK_INT(dqlite_server_get_id(servers[at]), 0);
        CHECK(dqlite_server_stop(servers[at]) != 0);
        SERVER_OK(servers[at], dqlite_server_start(servers[at]));
        CHECK(dqlite_server_start(servers[at]) != 0);
        ids[at] = dqlite_server_get_id(servers[at]);
        CHECK(ids[at] != 0);
    }
    snprintf(url, sizeof url, "dqlite://%s", addresses[0]);
    OK(dqlite_connect(url, NULL, 0, NULL, &db, &error));
    OK(run(db, "CREATE TABLE t (a)", &error));
    OK(dqlite_connection_close(db, &error));
    SERVER_OK(servers[0], dqlite_server_handover(servers[0]));
    SERVER_OK(servers[0], dqlite_server_stop(servers[0]));
    dqlite_server_destroy(servers[0]);

    /* It comes back knowing who it is, whatever it is told. */
    snprintf(path, sizeof path, "%s/0", folder);
    SERVER_OK(servers[0], dqlite_server_create(path, &servers[0]));
    SERVER_OK(servers[0], dqlite_server_set_address(servers[0], "@ignored"));
    SERVER_OK(servers[0], dqlite_server_set_bind_address(servers[0], addresses[0]));
    SERVER_OK(servers[0], dqlite_server_start(servers[0]));
    CHECK(dqlite_server_get_id(servers[0]) == ids[0]);
    OK(dqlite_connect(url, NULL, 0, NULL, &db, &error));
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), 0);
    OK(dqlite_connection_close(db, &error));
    SERVER_OK(servers[0], dqlite_server_stop(servers[0]));
    for (at = 0; at < 3; at++)
        dqlite_server_destroy(servers[at]);
    CHECK(strlen(dqlite_server_errmsg(servers[0])) > 0);
}

static void a_server_that_was_told_nothing_does_not_start(void) {
    dqlite_server *server;
    char path[128];
    const char *seeds[1] = {"@dqlite-c-nobody"};
    snprintf(path, sizeof path, "%s/nothing", folder);
    SERVER_OK(server, dqlite_server_create(path, &server));
    CHECK(dqlite_server_start(server) != 0);
    CHECK(strstr(dqlite_server_errmsg(server), "does not exist") != NULL);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK(dqlite_server_start(server) != 0);
    SERVER_OK(server, dqlite_server_set_auto_bootstrap(server, true));
    CHECK(dqlite_server_start(server) != 0);
    CHECK(strstr(dqlite_server_errmsg(server), "address") != NULL);
    SERVER_OK(server, dqlite_server_set_address(server, "@a"));
    SERVER_OK(server, dqlite_server_set_auto_join(server, seeds, 1));
    CHECK(dqlite_server_start(server) != 0);
    CHECK(dqlite_server_set_auto_join(server, NULL, 1) != 0);
    dqlite_server_destroy(server);
    CHECK(dqlite_server_create(NULL, &server) != 0);
    dqlite_server_destroy(server);
    dqlite_server_destroy(NULL);
    remove_folder(folder);
}

MAIN(TEST(servers_begin_and_join), TEST(a_server_that_was_told_nothing_does_not_start))
