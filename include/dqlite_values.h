/*
 * Parameters written, and rows read: the values of libdqlite's buffers, without a call.
 *
 *     uint8_t room[64];
 *     dqlite_writer parameters = dqlite_writer_start(room, sizeof room);
 *     dqlite_put_count(&parameters, 2);
 *     dqlite_put_integer(&parameters, 42);
 *     dqlite_put_text(&parameters, "lamp", 4);
 *     if (dqlite_writer_failed(&parameters)) ... the room is too small ...
 *     dqlite_connection_execute(connection, sql, strlen(sql), parameters.data, parameters.length, ...);
 *
 *     dqlite_reader rows = dqlite_reader_start(&result.batch);
 *     while (dqlite_next_row(&rows))
 *         while (dqlite_next_value(&rows, &value)) ... value.kind ...
 *     if (dqlite_reader_failed(&rows)) ... the batch is damaged ...
 *
 * No function reads or writes outside of its buffer, whatever is in it.
 */
#ifndef DQLITE_VALUES_H
#define DQLITE_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dqlite.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A value of a row. Texts and blobs lie in the batch. */
typedef struct dqlite_value {
    /* DQLITE_NULL, DQLITE_INTEGER, DQLITE_REAL, DQLITE_TEXT or DQLITE_BLOB. */
    int kind;
    int64_t integer;
    double real;
    /* A text or a blob. It ends with no NUL. */
    const uint8_t *data;
    size_t length;
} dqlite_value;

/* Writes parameters into a buffer. */
typedef struct dqlite_writer {
    uint8_t *data;
    /* What is written. */
    size_t length;
    size_t room;
    /* Something did not fit; nothing is written from then on. */
    bool failed;
} dqlite_writer;

static inline dqlite_writer dqlite_writer_start(void *room, size_t bytes) {
    dqlite_writer writer;
    writer.data = (uint8_t *)room;
    writer.length = 0;
    writer.room = bytes;
    writer.failed = false;
    return writer;
}

static inline bool dqlite_writer_failed(const dqlite_writer *writer) {
    return writer->failed;
}

static inline void dqlite_put_bytes_(dqlite_writer *writer, const void *bytes, size_t length) {
    if (writer->failed || length > writer->room - writer->length) {
        writer->failed = true;
        return;
    }
    if (length > 0)
        memcpy(writer->data + writer->length, bytes, length);
    writer->length += length;
}

static inline void dqlite_put_number_(dqlite_writer *writer, uint64_t number, size_t bytes) {
    uint8_t out[8];
    size_t at;
    for (at = 0; at < bytes; at++)
        out[at] = (uint8_t)(number >> (8 * at));
    dqlite_put_bytes_(writer, out, bytes);
}

static inline void dqlite_put_kind_(dqlite_writer *writer, int kind) {
    dqlite_put_number_(writer, (uint64_t)kind, 1);
}

static inline void dqlite_put_piece_(dqlite_writer *writer, const void *bytes, size_t length) {
    if (length > UINT32_MAX)
        writer->failed = true;
    dqlite_put_number_(writer, length, 4);
    dqlite_put_bytes_(writer, bytes, length);
}

/* Before the sets of dqlite_connection_execute_many(): how many there are. */
static inline void dqlite_put_sets(dqlite_writer *writer, uint32_t sets) {
    dqlite_put_number_(writer, sets, 4);
}

/* Begins a set of parameters by position: as many values follow. */
static inline void dqlite_put_count(dqlite_writer *writer, uint32_t values) {
    dqlite_put_number_(writer, 0, 1);
    dqlite_put_number_(writer, values, 4);
}

/* Begins a set of parameters by name: as many names follow, each with its value. */
static inline void dqlite_put_named_count(dqlite_writer *writer, uint32_t values) {
    dqlite_put_number_(writer, 1, 1);
    dqlite_put_number_(writer, values, 4);
}

/* The name of the value that follows, without the mark before it. */
static inline void dqlite_put_name(dqlite_writer *writer, const char *name, size_t length) {
    dqlite_put_piece_(writer, name, length);
}

static inline void dqlite_put_null(dqlite_writer *writer) {
    dqlite_put_kind_(writer, DQLITE_NULL);
}

static inline void dqlite_put_integer(dqlite_writer *writer, int64_t integer) {
    dqlite_put_kind_(writer, DQLITE_INTEGER);
    dqlite_put_number_(writer, (uint64_t)integer, 8);
}

static inline void dqlite_put_real(dqlite_writer *writer, double real) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    dqlite_put_kind_(writer, DQLITE_REAL);
    dqlite_put_number_(writer, bits, 8);
}

static inline void dqlite_put_text(dqlite_writer *writer, const char *text, size_t length) {
    dqlite_put_kind_(writer, DQLITE_TEXT);
    dqlite_put_piece_(writer, text, length);
}

static inline void dqlite_put_blob(dqlite_writer *writer, const void *blob, size_t length) {
    dqlite_put_kind_(writer, DQLITE_BLOB);
    dqlite_put_piece_(writer, blob, length);
}

/* Reads the rows of a batch. */
typedef struct dqlite_reader {
    const uint8_t *at;
    size_t left;
    uint32_t rows;
    uint32_t columns;
    /* Values of the current row that were not read yet. */
    uint32_t values;
    /* The batch is not what it should be; nothing is read from then on. */
    bool failed;
} dqlite_reader;

static inline uint64_t dqlite_take_number_(dqlite_reader *reader, size_t bytes) {
    uint64_t number = 0;
    size_t at;
    if (reader->failed || bytes > reader->left) {
        reader->failed = true;
        return 0;
    }
    for (at = 0; at < bytes; at++)
        number |= (uint64_t)reader->at[at] << (8 * at);
    reader->at += bytes;
    reader->left -= bytes;
    return number;
}

static inline dqlite_reader dqlite_reader_start(const dqlite_batch *batch) {
    dqlite_reader reader;
    reader.at = batch->data;
    reader.left = batch->length;
    reader.rows = reader.columns = reader.values = 0;
    reader.failed = false;
    if (batch->length > 0) {
        reader.rows = (uint32_t)dqlite_take_number_(&reader, 4);
        reader.columns = (uint32_t)dqlite_take_number_(&reader, 4);
    }
    return reader;
}

static inline bool dqlite_reader_failed(const dqlite_reader *reader) {
    return reader->failed;
}

/* The next value of the current row; false after the last. */
static inline bool dqlite_next_value(dqlite_reader *reader, dqlite_value *value) {
    uint64_t bits;
    memset(value, 0, sizeof *value);
    if (reader->failed || reader->values == 0)
        return false;
    reader->values--;
    value->kind = (int)dqlite_take_number_(reader, 1);
    switch (value->kind) {
    case DQLITE_NULL:
        break;
    case DQLITE_INTEGER:
        value->integer = (int64_t)dqlite_take_number_(reader, 8);
        break;
    case DQLITE_REAL:
        bits = dqlite_take_number_(reader, 8);
        memcpy(&value->real, &bits, sizeof bits);
        break;
    case DQLITE_TEXT:
    case DQLITE_BLOB:
        value->length = (size_t)dqlite_take_number_(reader, 4);
        value->data = reader->at;
        if (value->length > reader->left)
            reader->failed = true;
        if (!reader->failed) {
            reader->at += value->length;
            reader->left -= value->length;
        }
        break;
    default:
        reader->failed = true;
    }
    return !reader->failed;
}

/* Goes to the next row, past what was not read of the current one; false after the last. */
static inline bool dqlite_next_row(dqlite_reader *reader) {
    dqlite_value skipped;
    while (dqlite_next_value(reader, &skipped))
        continue;
    if (reader->failed || reader->rows == 0)
        return false;
    reader->rows--;
    reader->values = reader->columns;
    return true;
}

#ifdef __cplusplus
}
#endif

#endif /* DQLITE_VALUES_H */
