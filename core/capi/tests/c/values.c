/* dqlite_values.h: what is written is read, and nothing outside of a buffer is touched. */
#include "check.h"

static void what_fits_is_written_as_the_format_says(void) {
    static const uint8_t expected[] = {
        2, 0, 0, 0,                                  /* two sets */
        0, 3, 0, 0, 0,                               /* by position */
        0,                                           /* NULL */
        1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        3, 2, 0, 0, 0, 'd', 'q',
        1, 2, 0, 0, 0,                               /* by name */
        1, 0, 0, 0, 'a', 2, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f,
        0, 0, 0, 0, 4, 1, 0, 0, 0, 0xff,
    };
    size_t short_of;
    for (short_of = 0; short_of <= sizeof expected; short_of++) {
        size_t given = sizeof expected - short_of;
        uint8_t *exact = malloc(given + 1);
        dqlite_writer writer = dqlite_writer_start(exact, given);
        dqlite_put_sets(&writer, 2);
        dqlite_put_count(&writer, 3);
        dqlite_put_null(&writer);
        dqlite_put_integer(&writer, -2);
        dqlite_put_text(&writer, "dq", 2);
        dqlite_put_named_count(&writer, 2);
        dqlite_put_name(&writer, "a", 1);
        dqlite_put_real(&writer, 0.5);
        dqlite_put_name(&writer, "", 0);
        dqlite_put_blob(&writer, "\xff", 1);
        CHECK_INT(dqlite_writer_failed(&writer), short_of > 0);
        CHECK(writer.length <= given);
        if (short_of == 0) {
            CHECK_INT(writer.length, sizeof expected);
            CHECK(memcmp(exact, expected, sizeof expected) == 0);
        }
        free(exact);
    }
}

static const uint8_t batch[] = {
    2, 0, 0, 0, 3, 0, 0, 0,
    1, 1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 'd', 'q', 0,
    1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f,
    4, 2, 0, 0, 0, 0, 0xff,
};

static dqlite_reader reading(const uint8_t *bytes, size_t length) {
    dqlite_batch given = {.data = bytes, .length = length};
    return dqlite_reader_start(&given);
}

static void the_batch_of_the_documentation_is_read(void) {
    dqlite_value value;
    dqlite_reader rows = reading(batch, sizeof batch);
    CHECK(dqlite_next_row(&rows));
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_INTEGER && value.integer == 1);
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_TEXT && value.length == 2);
    CHECK(memcmp(value.data, "dq", 2) == 0);
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_NULL);
    CHECK(!dqlite_next_value(&rows, &value));
    CHECK(dqlite_next_row(&rows));
    CHECK(dqlite_next_value(&rows, &value) && value.integer == -2);
    CHECK(dqlite_next_value(&rows, &value) && value.kind == DQLITE_REAL && value.real == 0.5);
    /* What is left of a row is skipped. */
    CHECK(!dqlite_next_row(&rows));
    CHECK(!dqlite_reader_failed(&rows));
    CHECK_INT(rows.left, 0);
    rows = reading(NULL, 0);
    CHECK(!dqlite_next_row(&rows) && !dqlite_reader_failed(&rows));
}

/* Reads all there is; whether the batch was whole. */
static bool read_all(const uint8_t *bytes, size_t length) {
    dqlite_value value;
    dqlite_reader rows = reading(bytes, length);
    unsigned sum = 0;
    while (dqlite_next_row(&rows))
        while (dqlite_next_value(&rows, &value))
            for (size_t at = 0; at < value.length; at++)
                sum += value.data[at];
    return !dqlite_reader_failed(&rows) && sum < 1u << 30;
}

static void a_batch_that_lies_is_refused_within_its_bytes(void) {
    uint8_t *exact;
    size_t length, at;
    CHECK(read_all(batch, sizeof batch));
    for (length = 1; length < sizeof batch; length++) {
        exact = malloc(length);
        memcpy(exact, batch, length);
        CHECK(!read_all(exact, length));
        free(exact);
    }
    exact = malloc(sizeof batch);
    for (at = 0; at < sizeof batch; at++) {
        memcpy(exact, batch, sizeof batch);
        exact[at] ^= 0xff;
        read_all(exact, sizeof batch);
    }
    memcpy(exact, batch, sizeof batch);
    exact[8] = 9; /* a kind that there is not */
    CHECK(!read_all(exact, sizeof batch));
    free(exact);
}

MAIN(TEST(what_fits_is_written_as_the_format_says), TEST(the_batch_of_the_documentation_is_read),
     TEST(a_batch_that_lies_is_refused_within_its_bytes))
