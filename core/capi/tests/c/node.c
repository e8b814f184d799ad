/* dqlite's own API: nodes set up call by call, as programs for libdqlite do it. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"

#define BOOTSTRAP_ID 0x2dc171858c3155beULL
#define RAFT_NOCONNECTION 16

static char folder[64];

static int connect_to(const char *name) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path + 1, name + 1, strlen(name) - 1);
    if (connect(fd, (struct sockaddr *)&to,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)))
        != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Connects to abstract sockets, and counts. */
static int dial(void *arg, const char *address, int *fd) {
    int *calls = arg;
    __atomic_add_fetch(calls, 1, __ATOMIC_SEQ_CST);
    *fd = address[0] == '@' ? connect_to(address) : -1;
    return *fd < 0 ? RAFT_NOCONNECTION : 0;
}

#define NODE_OK(node, call)                                                                        \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ != 0)                                                                              \
            check_fail(__FILE__, __LINE__, "%s: %d: %s", #call, rc_, dqlite_node_errmsg(node));    \
    } while (0)

static dqlite_node *create(dqlite_node_id id, const char *address, const char *name) {
    char path[128];
    dqlite_node *node = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    NODE_OK(node, dqlite_node_create(id, address, path, &node));
    return node;
}

static void settings_are_checked(void) {
    dqlite_node *node;
    make_folder(folder);
    node = create(1, "1", "settings");
    NODE_OK(node, dqlite_node_set_network_latency(node, 20 * 1000000ULL));
    CHECK_INT(dqlite_node_set_network_latency(node, 999999), DQLITE_MISUSE);
    CHECK_INT(dqlite_node_set_network_latency(node, 3600000000001000000ULL), DQLITE_MISUSE);
    NODE_OK(node, dqlite_node_set_network_latency_ms(node, 3600000));
    CHECK_INT(dqlite_node_set_network_latency_ms(node, 0), DQLITE_MISUSE);
    CHECK_INT(dqlite_node_set_network_latency_ms(node, 3600001), DQLITE_MISUSE);
    NODE_OK(node, dqlite_node_set_network_latency_ms(node, 10));
    NODE_OK(node, dqlite_node_set_failure_domain(node, 7));
    NODE_OK(node, dqlite_node_set_snapshot_params(node, 1024, 8192));
    CHECK_INT(dqlite_node_set_snapshot_params(node, 1, 3), DQLITE_MISUSE);
    CHECK_INT(dqlite_node_set_snapshot_params(node, 100, 99), DQLITE_MISUSE);
    CHECK(strlen(dqlite_node_errmsg(node)) > 0);
    NODE_OK(node, dqlite_node_set_snapshot_params_v2(node, 32, 64, DQLITE_SNAPSHOT_TRAILING_DYNAMIC));
    CHECK_INT(dqlite_node_set_snapshot_params_v2(node, 32, 64, 2), DQLITE_MISUSE);
    NODE_OK(node, dqlite_node_set_block_size(node, 4096));
    CHECK_INT(dqlite_node_set_block_size(node, 4095), DQLITE_ERROR);
    CHECK_INT(dqlite_node_set_block_size(node, 256), DQLITE_ERROR);
    NODE_OK(node, dqlite_node_set_target_voters(node, 5));
    CHECK_INT(dqlite_node_set_target_voters(node, 0), DQLITE_MISUSE);
    NODE_OK(node, dqlite_node_set_target_standbys(node, 0));
    CHECK_INT(dqlite_node_set_target_standbys(node, -1), DQLITE_MISUSE);
    NODE_OK(node, dqlite_node_set_pool_thread_count(node, 8));
    NODE_OK(node, dqlite_node_set_auto_recovery(node, true));
    NODE_OK(node, dqlite_node_set_auto_recovery(node, false));
    NODE_OK(node, dqlite_node_set_snapshot_compression(node, false));
    CHECK_INT(dqlite_node_set_snapshot_compression(node, true), DQLITE_ERROR);
    NODE_OK(node, dqlite_node_set_busy_timeout(node, 200));
    NODE_OK(node, dqlite_node_enable_disk_mode(node));
    NODE_OK(node, dqlite_node_enable_role_management(node));
    CHECK(dqlite_node_get_bind_address(node) == NULL);
    CHECK(dqlite_node_set_bind_address(node, "not an address") != 0);
    CHECK(dqlite_node_set_bind_address(node, "localhost:9000") != 0);
    CHECK_INT(dqlite_node_stop(node), DQLITE_MISUSE);
    CHECK_INT(dqlite_node_handover(node), DQLITE_MISUSE);
    dqlite_node_destroy(node);
    dqlite_node_destroy(node);
    dqlite_node_destroy(NULL);
    CHECK_INT(dqlite_node_start(node), DQLITE_MISUSE);
    CHECK(strlen(dqlite_node_errmsg(NULL)) > 0);
}

static void a_node_that_cannot_be_made_says_why(void) {
    dqlite_node *node = NULL;
    CHECK(dqlite_node_create(0, "1", folder, &node) != 0);
    CHECK(strstr(dqlite_node_errmsg(node), "0") != NULL);
    CHECK_INT(dqlite_node_start(node), DQLITE_MISUSE);
    dqlite_node_destroy(node);
    CHECK(dqlite_node_create(1, NULL, folder, &node) != 0);
    CHECK(strstr(dqlite_node_errmsg(node), "address") != NULL);
    dqlite_node_destroy(node);
    CHECK(dqlite_node_create(1, "1", NULL, &node) != 0);
    dqlite_node_destroy(node);
    CHECK(dqlite_node_create(1, "1", folder, NULL) != 0);
}

static void ids_are_generated(void) {
    dqlite_node_id ids[100];
    int a, b;
    for (a = 0; a < 100; a++) {
        ids[a] = dqlite_generate_node_id("127.0.0.1:9000");
        CHECK(ids[a] > 1 && ids[a] != BOOTSTRAP_ID);
        for (b = 0; b < a; b++)
            CHECK(ids[a] != ids[b]);
    }
    CHECK(dqlite_generate_node_id(NULL) != 0);
}

static void an_address_is_bound_at_once(void) {
    dqlite_node *node = create(1, "127.0.0.1", "bound"), *second;
    char address[64];
    NODE_OK(node, dqlite_node_set_bind_address(node, "127.0.0.1:0"));
    snprintf(address, sizeof address, "%s", dqlite_node_get_bind_address(node));
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0 && strcmp(address, "127.0.0.1:0") != 0);
    NODE_OK(node, dqlite_node_set_bind_address(node, "@"));
    CHECK(strlen(dqlite_node_get_bind_address(node)) > 1);
    CHECK_INT(dqlite_node_get_bind_address(node)[0], '@');
    snprintf(address, sizeof address, "@dqlite-c-bound-%d", (int)getpid());
    NODE_OK(node, dqlite_node_set_bind_address(node, address));
    CHECK_TEXT(dqlite_node_get_bind_address(node), address);
    second = create(2, "127.0.0.2", "second");
    CHECK_INT(dqlite_node_set_bind_address(second, address), DQLITE_ERROR);
    CHECK(strstr(dqlite_node_errmsg(second), address) != NULL);
    dqlite_node_destroy(second);
    NODE_OK(node, dqlite_node_start(node));
    CHECK_INT(dqlite_node_start(node), DQLITE_MISUSE);
    CHECK_INT(dqlite_node_set_bind_address(node, "@"), DQLITE_MISUSE);
    CHECK_INT(dqlite_node_set_busy_timeout(node, 1), DQLITE_MISUSE);
    /* Destroyed without being stopped first, it lets go of its address and its folder all the same. */
    dqlite_node_destroy(node);
    node = create(1, "127.0.0.1", "bound");
    NODE_OK(node, dqlite_node_set_bind_address(node, address));
    NODE_OK(node, dqlite_node_start(node));
    NODE_OK(node, dqlite_node_stop(node));
    CHECK_INT(dqlite_node_stop(node), DQLITE_MISUSE);
    NODE_OK(node, dqlite_node_start(node));
    NODE_OK(node, dqlite_node_stop(node));
    dqlite_node_destroy(node);
}

/* Asks who leads, in dqlite's protocol; whether an answer came. */
static bool answers(const char *name) {
    static const uint8_t question[] = {
        1, 0, 0, 0, 0, 0, 0, 0,          /* the protocol's version */
        1, 0, 0, 0, 0, 0, 0, 0,          /* LEADER: one word */
        0, 0, 0, 0, 0, 0, 0, 0,
    };
    uint8_t answer[8];
    int fd = connect_to(name);
    bool came = fd >= 0
        && send(fd, question, sizeof question, MSG_NOSIGNAL) == (ssize_t)sizeof question
        && recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer
        && answer[4] == 1;
    if (fd >= 0)
        close(fd);
    return came;
}

static void abstract_sockets_are_for_this_process_only(void) {
    dqlite_node *node = create(BOOTSTRAP_ID, "me", "abstract");
    char name[64];
    int status = 0;
    pid_t child;
    NODE_OK(node, dqlite_node_set_bind_address(node, "@"));
    NODE_OK(node, dqlite_node_start(node));
    snprintf(name, sizeof name, "%s", dqlite_node_get_bind_address(node));
    CHECK(answers(name));
    child = fork();
    if (child == 0)
        _exit(answers(name) ? 1 : 0);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(answers(name));
    NODE_OK(node, dqlite_node_stop(node));
    CHECK(!answers(name));
    dqlite_node_destroy(node);
}

static void add(const char *leader, int id, const char *address) {
    dqlite_cluster *cluster = NULL;
    char url[96];
    snprintf(url, sizeof url, "dqlite://%s", leader);
    OK(dqlite_cluster_open(url, NULL, 0, &cluster, &error));
    OK(dqlite_cluster_add(cluster, (uint64_t)id, address, DQLITE_ROLE_VOTER, NULL, &error));
    OK(dqlite_cluster_close(cluster, &error));
}

static void a_cluster_speaks_through_the_connect_function(void) {
    dqlite_node *nodes[4] = {NULL};
    dqlite_connection *db = NULL;
    dqlite_node_info_ext members[2];
    uint64_t index = 0, term = 0;
    char url[96], addresses[4][64], name[16];
    int at, calls = 0, before;
    for (at = 1; at <= 3; at++) {
        snprintf(addresses[at], sizeof addresses[at], "@dqlite-c-node-%d-%d", (int)getpid(), at);
        snprintf(name, sizeof name, "peer-%d", at);
        nodes[at] = create((dqlite_node_id)at, addresses[at], name);
        NODE_OK(nodes[at], dqlite_node_set_connect_func(nodes[at], dial, &calls));
        NODE_OK(nodes[at], dqlite_node_set_bind_address(nodes[at], addresses[at]));
        NODE_OK(nodes[at], dqlite_node_set_network_latency_ms(nodes[at], 40));
        NODE_OK(nodes[at], dqlite_node_start(nodes[at]));
    }
    add(addresses[1], 2, addresses[2]);
    add(addresses[1], 3, addresses[3]);
    CHECK(__atomic_load_n(&calls, __ATOMIC_SEQ_CST) >= 2);
    snprintf(url, sizeof url, "dqlite://%s/app", addresses[1]);
    OK(dqlite_connect(url, NULL, 0, NULL, &db, &error));
    OK(run(db, "CREATE TABLE t (a)", &error));
    OK(run(db, "INSERT INTO t VALUES (1), (2)", &error));
    OK(dqlite_connection_close(db, &error));

    /* The vote has nobody to take it, but the lead has. */
    NODE_OK(nodes[1], dqlite_node_handover(nodes[1]));
    for (at = 3; at >= 1; at--)
        NODE_OK(nodes[at], dqlite_node_stop(nodes[at]));
    before = __atomic_load_n(&calls, __ATOMIC_SEQ_CST);

    NODE_OK(nodes[2], dqlite_node_describe_last_entry(nodes[2], &index, &term));
    CHECK(index >= 4 && term >= 1);
    for (at = 0; at < 2; at++) {
        members[at].size = sizeof members[at];
        members[at].id = (uint64_t)at + 1;
        members[at].address = (uint64_t)(uintptr_t)addresses[at + 1];
        members[at].dqlite_role = at == 0 ? DQLITE_ROLE_VOTER : DQLITE_ROLE_SPARE;
    }
    members[1].size = 24;
    CHECK_INT(dqlite_node_recover_ext(nodes[1], members, 2), DQLITE_MISUSE);
    members[1].size = sizeof members[1];
    members[1].dqlite_role = 3;
    CHECK_INT(dqlite_node_recover_ext(nodes[1], members, 2), DQLITE_MISUSE);
    members[1].dqlite_role = DQLITE_ROLE_SPARE;
    CHECK_INT(dqlite_node_recover_ext(nodes[1], members, -1), DQLITE_MISUSE);
    NODE_OK(nodes[1], dqlite_node_recover_ext(nodes[1], members, 2));
    /* No node runs: nobody calls the function any more. */
    CHECK_INT(__atomic_load_n(&calls, __ATOMIC_SEQ_CST), before);
    NODE_OK(nodes[1], dqlite_node_start(nodes[1]));
    OK(dqlite_connect(url, NULL, 0, NULL, &db, &error));
    CHECK_INT(number_of(db, "SELECT sum(a) FROM t"), 3);
    OK(dqlite_connection_close(db, &error));
    for (at = 1; at <= 3; at++)
        dqlite_node_destroy(nodes[at]);
}

static void a_node_of_another_id_is_not_started_in_a_folder_in_use(void) {
    dqlite_node *first = create(1, "a", "folder"), *second = create(1, "a", "folder");
    NODE_OK(first, dqlite_node_set_bind_address(first, "@"));
    NODE_OK(second, dqlite_node_set_bind_address(second, "@"));
    NODE_OK(first, dqlite_node_start(first));
    CHECK_INT(dqlite_node_start(second), DQLITE_ERROR);
    CHECK(strstr(dqlite_node_errmsg(second), "in use") != NULL);
    dqlite_node_destroy(second);
    NODE_OK(first, dqlite_node_stop(first));
    dqlite_node_destroy(first);
    second = create(2, "a", "folder");
    NODE_OK(second, dqlite_node_set_bind_address(second, "@"));
    CHECK_INT(dqlite_node_start(second), DQLITE_ERROR);
    dqlite_node_destroy(second);
}

MAIN(TEST(settings_are_checked), TEST(a_node_that_cannot_be_made_says_why), TEST(ids_are_generated),
     TEST(an_address_is_bound_at_once), TEST(abstract_sockets_are_for_this_process_only),
     TEST(a_cluster_speaks_through_the_connect_function),
     TEST(a_node_of_another_id_is_not_started_in_a_folder_in_use))
