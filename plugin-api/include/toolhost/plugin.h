/* toolhost/plugin.h - the contract between Toolhost and a plugin: ABI major 1, minors 0 and 1.
 * C99; needs nothing but <stddef.h> and <stdint.h>. For ELF on 64-bit Linux.
 *
 * A plugin is a shared library with two symbols: toolhost_card_v1 (who it is, readable without running it) and
 * toolhost_plugin_v1 (the entry). Seven rules hold everywhere:
 *
 *  R1 Borrow.        A pointer passed to a function is borrowed until that function returns. A pointer that the host
 *                    hands out lives as long as its function says. Nobody frees memory of the other side.
 *  R2 Push.          A plugin returns no memory. It pushes its result into the host (text, structured, json, fail).
 *  R3 Types tell lifetime.
 *                    `const char*` is static, NUL-terminated UTF-8 that lives as long as the module (metadata).
 *                    `th_str` is borrowed bytes, not NUL-terminated (data).
 *  R4 Size first.    Every struct that may grow starts with struct_size = its sizeof when its writer was compiled.
 *                    Fields are only appended. The reader copies what it knows and zero-fills the rest; bytes beyond
 *                    what it knows must all be zero, else it refuses the struct. It never ignores them.
 *  R5 No unwinding.  No exception, panic or longjmp leaves a plugin function: the host cannot count on containing it.
 *  R6 Threads are named. Every function carries TH_ON(...):
 *                    load    one thread at a time per plugin, while no handler of the instance runs; may block
 *                    worker  the one thread on which the handler of this th_call runs, while it runs; after defer() the
 *                            one thread at a time that the plugin has complete the call
 *                    any     any thread, at the same time as others, until quiesce() has returned
 *                    Handlers of one instance run at the same time, on any number of threads, for different calls.
 *  R7 Never unmapped. A module stays mapped until the process ends. Retiring it means that it gets no more calls.
 *
 * A th_call used on another thread than its handler's, or after the handler returned (once deferred: after
 * complete()), answers TH_E_MISUSE where the host can still tell, and is undefined where it cannot. Text is UTF-8
 * wherever nothing else is said. ABI.md, which comes with this header, tells how the contract grows.
 */
#ifndef TOOLHOST_PLUGIN_H
#define TOOLHOST_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define TH_ABI_MAJOR 1u
#define TH_ABI_MINOR 1u /* the newest minor that this header knows */

/* The newest minor that this header shows. Define it before including to see more; by default a plugin sees, and so
 * needs, only what the oldest host has. */
#ifndef TH_ABI_TARGET
#define TH_ABI_TARGET 0u
#endif
/* The oldest minor that the plugin accepts. If lower than TH_ABI_TARGET, ask TH_HAS() for what came in between. */
#ifndef TH_ABI_REQUIRED
#define TH_ABI_REQUIRED TH_ABI_TARGET
#endif
#if TH_ABI_TARGET > TH_ABI_MINOR
#error "TH_ABI_TARGET is newer than this header: install a newer toolhost-plugin package"
#endif
#if TH_ABI_REQUIRED > TH_ABI_TARGET
#error "TH_ABI_REQUIRED must not be greater than TH_ABI_TARGET"
#endif

#define TH_EXPORT __attribute__((visibility("default")))
#if defined(__clang__)
#define TH_ON(threads) __attribute__((annotate("th.on:" #threads)))
#else
#define TH_ON(threads)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Frozen value types: they never change, so arrays of them are safe ---- */

/* Borrowed bytes. ptr may be NULL only when len is 0. */
typedef struct th_str {
  const char* ptr;
  size_t len; /* bytes */
} th_str;

/* How something ended. Never a C enum: a status that the reader does not know must be representable (it means
 * TH_E_INTERNAL). */
typedef int32_t th_status;
#define TH_OK 0
#define TH_END 1               /* next(): no row is left */
#define TH_E_INVALID (-1)      /* a value that is wrong in a way no schema could express */
#define TH_E_NOT_FOUND (-2)    /* no such thing, or none that the caller may know of */
#define TH_E_CONFLICT (-3)     /* unique, foreign key, check or exclusion violation (SQLSTATE 23xxx); a stale version */
#define TH_E_DENIED (-4)       /* not allowed (SQLSTATE 42501, 25006; a kind of statement that plugins may not run) */
#define TH_E_UNAVAILABLE (-5)  /* something needed is down; the caller may try again later */
#define TH_E_TIMEOUT (-6)      /* the call's deadline passed */
#define TH_E_CANCELLED (-7)    /* the caller no longer waits */
#define TH_E_RETRY (-8)        /* serialization failure or deadlock (SQLSTATE 40001, 40P01) */
#define TH_E_LIMIT (-9)        /* too large, too many, too often */
#define TH_E_UNSUPPORTED (-10) /* this host does not have it */
#define TH_E_MISUSE (-11)      /* the contract was broken: wrong thread, wrong order, wrong handle */
#define TH_E_INTERNAL (-12)    /* everything else; the client sees a correlation id and no text of the plugin */
#if TH_ABI_TARGET >= 1
#define TH_PENDING 2     /* a handler that has deferred its call: complete() follows */
#define TH_E_ASKED (-13) /* the client is being asked: return this now; the handler runs again with the answers */
#endif

typedef struct th_uuid {
  uint8_t b[16]; /* network byte order */
} th_uuid;

/* The kinds of th_value. */
#define TH_V_NULL 0u
#define TH_V_BOOL 1u    /* u.i64: 0 or 1 */
#define TH_V_I64 2u     /* u.i64 */
#define TH_V_F64 3u     /* u.f64 */
#define TH_V_TEXT 4u    /* u.s: UTF-8 without NUL. As a parameter it takes the type that the statement gives $n */
#define TH_V_BYTES 5u   /* u.s: raw bytes (bytea) */
#define TH_V_JSON 6u    /* u.s: JSON text (json, jsonb) */
#define TH_V_UUID 7u    /* u.s: 16 raw bytes */
#define TH_V_TIME 8u    /* u.i64: microseconds since 1970-01-01T00:00Z (timestamptz) */
#define TH_V_NUMERIC 9u /* u.s: decimal text, never rounded */

/* One SQL parameter or column. Exactly 24 bytes. */
typedef struct th_value {
  uint32_t type;
  uint32_t reserved; /* 0 */
  union {
    int64_t i64;
    double f64;
    th_str s;
  } u;
} th_value;

#if TH_ABI_TARGET >= 1
/* A function of the plugin and what it is called with. */
typedef void (*th_fn)(void* context);
#endif

typedef char th_check_value_is_24_bytes[sizeof(th_value) == 24 ? 1 : -1];

typedef struct th_host th_host; /* one per plugin instance */
typedef struct th_call
    th_call; /* one per tools/call; lives until its handler has returned; deferred, until complete() */
typedef struct th_rows th_rows; /* one per query; lives until its handler has returned */

/* A th_str of a string literal. */
#ifdef __cplusplus
#define TH_STR(literal) (th_str{("" literal), sizeof(literal) - 1})
#else
#define TH_STR(literal) ((th_str){("" literal), sizeof(literal) - 1})
#endif

/* True when the other side's table is long enough to hold the function and has it. */
#ifdef __cplusplus
#define TH_DISTANCE_(from, to) \
  static_cast<size_t>(reinterpret_cast<const char*>(to) - reinterpret_cast<const char*>(from))
#else
#define TH_DISTANCE_(from, to) ((size_t)((const char*)(to) - (const char*)(from)))
#endif
#define TH_HAS(table, field) \
  ((table) && TH_DISTANCE_((table), &(table)->field + 1) <= (table)->struct_size && (table)->field)

/* ---- Core table: what every host has. Written by the host, read by the plugin; grows. ---- */

#define TH_LOG_TRACE 0
#define TH_LOG_DEBUG 1
#define TH_LOG_INFO 2
#define TH_LOG_WARN 3
#define TH_LOG_ERROR 4
#define TH_LOG_CRITICAL 5

typedef struct th_host_api {
  uint32_t struct_size;
  uint32_t abi_minor;  /* the host's minor; never lower than what the plugin's card requires */
  const char* product; /* "Toolhost" */
  const char* version; /* the host's version, e.g. "0.1.0" */

  /* The table of a service, e.g. TH_SVC_DB, or NULL when this host does not have it. An id that the definition lists
   * without '?' is never NULL. The table lives as long as the process. */
  /* clang-format off */
  const void* (*get_service)(th_host* host, const char* service_id) TH_ON(any);
  /* clang-format on */

  /* Writes one record to the host's log. `level`: TH_LOG_*. `call` may be NULL; with it the record carries the tenant,
   * tool and request id. `kv` holds n_pairs keys and values in turn: 2 * n_pairs strings; may be NULL when n_pairs is
   * 0. Never fails and never blocks on a device; invalid UTF-8 is replaced, and a flood is thinned. */
  void (*log)(th_host* host, th_call* call, int32_t level, th_str message, const th_str* kv, size_t n_pairs) TH_ON(any);

  /* 1 when records of this level are written, else 0: ask before formatting. */
  int32_t (*log_enabled)(th_host* host, int32_t level) TH_ON(any);

  /* Wall clock: microseconds since 1970-01-01T00:00Z. */
  int64_t (*now_us)(th_host* host) TH_ON(any);

  /* A new UUID, version 7: later ones sort after earlier ones. */
  th_uuid (*new_uuid)(th_host* host) TH_ON(any);
} th_host_api;

/* ---- "toolhost.call/1": the call and its result ---- */

#define TH_SVC_CALL "toolhost.call/1"

/* Written by the host into the plugin's memory; grows. The strings live until the handler returns. */
typedef struct th_call_info {
  uint32_t struct_size; /* set by the plugin before info() */
  uint32_t attempt;     /* 0 the first time; n when the host runs the handler again after TH_E_RETRY */
  th_str tenant;     /* name, e.g. "demo". For display only: the host scopes every statement to the tenant by itself */
  th_str principal;  /* who calls: e-mail address of the key's owner, or the key's name; with an access token its
                      * person's e-mail address, or its subject; in a job "toolhost" */
  th_str key_prefix; /* "hdsk_" and six characters, "oauth_" and six for who presents access tokens: tells them apart,
                      * safe to show; empty in a job */
  th_str request_id; /* the host's id of this call, as in its logs */
  th_str tool;       /* name */
  th_str idempotency_key; /* empty when the caller sent none */
  th_str time_zone;       /* the tenant's IANA zone, e.g. "Europe/Berlin" */
  int64_t deadline_us;    /* wall clock, as now_us(); 0: none */
  th_str role;            /* what the caller is in the tenant: "viewer", "agent" or "admin"; a job runs as "admin" */
} th_call_info;

/* Why a service function failed. Written by the host into the plugin's memory; grows. */
typedef struct th_error {
  uint32_t struct_size; /* set by the plugin before last_error() */
  th_status status;     /* TH_OK: nothing has failed yet */
  th_str message;       /* one sentence without secrets */
  th_str code;          /* SQLSTATE for failures of "toolhost.db/1", else empty */
  th_str detail;        /* what the database said; for the log, never for the client */
} th_error;

#if TH_ABI_TARGET >= 1
#define TH_CALL_MAX_DEFERRED 1000u /* calls of one instance that are deferred and not completed */

/* The kinds of th_content, and which of its fields each needs. What a kind does not name it does not take. */
#define TH_C_TEXT 0u  /* text */
#define TH_C_IMAGE 1u /* bytes (raw: the host encodes them), mime_type */
#define TH_C_AUDIO 2u /* as TH_C_IMAGE */
#define TH_C_LINK \
  3u                     /* a resource that the client may read: uri, name; may have title, description, mime_type,
                          * size, icons_json */
#define TH_C_RESOURCE 4u /* a resource itself: uri, and text, or bytes with TH_C_IS_BYTES; may have mime_type */

#define TH_C_IS_BYTES (1u << 0) /* TH_C_RESOURCE: `bytes` counts, not `text` */

/* One block of content. Written by the plugin, borrowed; grows, so keep no array of it. */
typedef struct th_content {
  uint32_t struct_size;
  uint32_t kind;     /* TH_C_* */
  uint32_t flags;    /* TH_C_IS_BYTES or 0 */
  uint32_t reserved; /* 0 */
  th_str text;
  th_str bytes;
  th_str mime_type; /* e.g. "image/png" */
  th_str uri;       /* absolute: "scheme:..." */
  th_str name;
  th_str title;
  th_str description;
  int64_t size;            /* of the linked resource in bytes; 0 or less: not said */
  th_str annotations_json; /* MCP annotations, an object; may be empty. Any kind */
  th_str meta_json;        /* MCP _meta, an object; may be empty. Any kind */
  th_str icons_json;       /* MCP icons, an array; may be empty */
} th_content;
#endif

/* A result is made of text blocks (text) and at most one JSON object (structured, or "toolhost.json/1"). When a handler
 * gives structured content and no text, the host sends the JSON as text as well, for clients that read only text. */
typedef struct th_call_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* Fills *out as far as out->struct_size reaches. TH_OK; TH_E_MISUSE (wrong thread, struct_size too small). */
  th_status (*info)(th_call* call, th_call_info* out) TH_ON(worker);

  /* The arguments: an object that conforms to the input schema. Lives until the handler returns. Empty on misuse. */
  th_str (*args_json)(th_call* call) TH_ON(worker);

  /* Appends a text block. TH_OK; TH_E_INVALID (not UTF-8); TH_E_LIMIT (the result outgrows the host's limit);
   * TH_E_MISUSE. */
  th_status (*text)(th_call* call, th_str text) TH_ON(worker);

  /* Sets the structured content to this JSON object. TH_OK; TH_E_INVALID (not a JSON object); TH_E_LIMIT; TH_E_MISUSE
   * (there is structured content already). */
  th_status (*structured)(th_call* call, th_str json) TH_ON(worker);

  /* Makes the call fail: the client gets isError with `public_message` in place of all content, and the transaction is
   * rolled back, whatever the handler returns. `status` must be negative; with TH_E_INTERNAL the message goes to the
   * log only. The last fail() counts. Returns `status`, so that `return call->fail(c, TH_E_NOT_FOUND, ...)` reads well;
   * TH_E_MISUSE when `status` is not negative or the thread is wrong. */
  th_status (*fail)(th_call* call, th_status status, th_str public_message) TH_ON(worker);

  /* Why the last failing service function of this call failed. The strings live until the next service function on this
   * call. TH_OK; TH_E_MISUSE (wrong thread, struct_size too small). */
  th_status (*last_error)(th_call* call, th_error* out) TH_ON(worker);

  /* 1 when the caller no longer waits or the deadline passed, else 0. One relaxed load: poll it freely in long loops.
   * Any thread, but only until the handler returns; once deferred: until complete(). */
  int32_t (*cancelled)(th_call* call) TH_ON(any);

#if TH_ABI_TARGET >= 1
  /* Appends a block of any kind. TH_OK; TH_E_INVALID (a field that its kind needs is missing or wrong, an unknown kind
   * or flag, bytes that this host does not know); TH_E_LIMIT (the result outgrows the host's limit, in which bytes
   * count as base64); TH_E_MISUSE. The handler of a resource pushes TH_C_RESOURCE only, with an empty uri for the one
   * that was asked for; those of prompts and completions push none. */
  th_status (*content)(th_call* call, const th_content* block) TH_ON(worker);

  /* Tells the client how far the call is: `done` of `total` (0 or less: not known), and a word about it (may be empty).
   * `done` must grow from call to call. TH_OK, also when nobody listens; at most 20 in a second are sent, the last one
   * for certain. TH_E_INVALID (not finite, not grown, not UTF-8); TH_E_LIMIT (a message over 1,024 bytes);
   * TH_E_MISUSE. */
  th_status (*progress)(th_call* call, double done, double total, th_str message) TH_ON(worker);

  /* Lets the call go on without its handler and without a thread of the host: the handler returns TH_PENDING, and
   * whoever it hands the call to ends it by complete(). From here on any thread may use the call, one at a time, also
   * before the handler has returned. Strings that live until the handler returns live until complete(). There is no
   * database any more, and no running again after TH_E_RETRY. A call that is not completed by its deadline is answered
   * without it. A handler that returns anything but TH_PENDING has completed the call with that. TH_OK; TH_E_LIMIT
   * (TH_CALL_MAX_DEFERRED); TH_E_MISUSE (wrong thread; deferred already; a TH_TOOL_NONBLOCKING tool; the handler has
   * used "toolhost.db/1", whose connection belongs to its thread). */
  th_status (*defer)(th_call* call) TH_ON(worker);

  /* Ends a deferred call, as if its handler returned `status`; exactly once, and its last use. Waits for a function of
   * on_cancel() that runs on another thread, so hold no lock that it takes. TH_OK, also when nobody waits for the call
   * any more; TH_E_MISUSE (not deferred; completed already, which is reported). */
  th_status (*complete)(th_call* call, th_status status) TH_ON(any);

  /* Calls fn(context) on a thread of the host when nobody waits for a deferred call any more: at most once, perhaps
   * before on_cancel() returns and then on this thread, never after complete(), which is still due and may be called in
   * it. TH_OK; TH_E_MISUSE (not deferred, completed, set already). */
  th_status (*on_cancel)(th_call* call, th_fn fn, void* context) TH_ON(any);
#endif
} th_call_api;

/* ---- "toolhost.args/1": the arguments by JSON Pointer, so that a plugin needs no JSON parser ---- */

#define TH_SVC_ARGS "toolhost.args/1"

#define TH_J_ABSENT 0 /* nothing there, or a pointer that is none */
#define TH_J_NULL 1
#define TH_J_BOOL 2
#define TH_J_INT 3    /* a number without fraction that fits int64_t */
#define TH_J_NUMBER 4 /* any other number */
#define TH_J_STRING 5
#define TH_J_ARRAY 6
#define TH_J_OBJECT 7

/* Pointers are RFC 6901: "" is the whole object, "/tags/0" the first tag; "~0" stands for '~', "~1" for '/'. Nothing is
 * converted from one kind to another. Every function answers TH_OK; TH_E_NOT_FOUND (nothing there); TH_E_INVALID (of
 * another kind, or out of range); TH_E_MISUSE; and leaves *out alone when it fails. */
typedef struct th_args_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* TH_J_* of what is there; TH_J_ABSENT on misuse too. */
  int32_t (*kind)(th_call* call, th_str pointer) TH_ON(worker);
  /* A string, unescaped. Lives until the handler returns. */
  th_status (*str)(th_call* call, th_str pointer, th_str* out) TH_ON(worker);
  /* A TH_J_INT. */
  th_status (*i64)(th_call* call, th_str pointer, int64_t* out) TH_ON(worker);
  /* A TH_J_INT or TH_J_NUMBER, as the nearest double. */
  th_status (*f64)(th_call* call, th_str pointer, double* out) TH_ON(worker);
  /* 0 or 1. */
  th_status (*boolean)(th_call* call, th_str pointer, int32_t* out) TH_ON(worker);
  /* How many elements an array or members an object has. */
  th_status (*size)(th_call* call, th_str pointer, size_t* out) TH_ON(worker);
  /* Name of the member at `index` (0 up to size) of an object, in the order of the text, unescaped: to walk objects
   * whose keys are free. TH_E_NOT_FOUND also for an index past the end. Lives until the handler returns. */
  th_status (*key)(th_call* call, th_str pointer, size_t index, th_str* out) TH_ON(worker);
} th_args_api;

/* ---- "toolhost.json/1": writes the structured content piece by piece; the host escapes and balances ---- */

#define TH_SVC_JSON "toolhost.json/1"

/* The outermost value is an object. Every function answers TH_OK; TH_E_INVALID (text that is not UTF-8, a number that
 * is not finite); TH_E_LIMIT (the result outgrows the host's limit); TH_E_MISUSE (out of order: a value without its
 * key, a key outside an object, a second outermost value, end() with nothing open, structured() was used). A handler
 * that returns TH_OK with something still open has failed with TH_E_INTERNAL. */
typedef struct th_json_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* Begins an object: the outermost value, a member after key(), or an element of an array. */
  th_status (*begin_object)(th_call* call) TH_ON(worker);
  /* Begins an array: a member after key(), or an element of an array. */
  th_status (*begin_array)(th_call* call) TH_ON(worker);
  /* Ends the innermost open object or array. */
  th_status (*end)(th_call* call) TH_ON(worker);
  /* Name of the next member of the innermost object. */
  th_status (*key)(th_call* call, th_str name) TH_ON(worker);
  /* A string, from UTF-8. */
  th_status (*str)(th_call* call, th_str value) TH_ON(worker);
  /* A number without fraction. */
  th_status (*i64)(th_call* call, int64_t value) TH_ON(worker);
  /* A finite number. */
  th_status (*f64)(th_call* call, double value) TH_ON(worker);
  /* Anything but 0 is true. */
  th_status (*boolean)(th_call* call, int32_t value) TH_ON(worker);
  /* The value null. */
  th_status (*null)(th_call* call) TH_ON(worker);
} th_json_api;

/* ---- "toolhost.db/1": the plugin's own PostgreSQL schema, one tenant's rows, one transaction per call ---- */

#define TH_SVC_DB "toolhost.db/1"

/* exec and query: this is the last statement of the transaction, which commits in the same round trip. A later
 * statement begins a new transaction, and a failure reported after it no longer undoes it. Ignored after a savepoint
 * that is still open. */
#define TH_DB_LAST (1u << 0)

#define TH_SAVEPOINT_SET 0      /* begins a savepoint inside the current one, if any */
#define TH_SAVEPOINT_RELEASE 1  /* ends the innermost savepoint and keeps what was done since */
#define TH_SAVEPOINT_ROLLBACK 2 /* ends the innermost savepoint and undoes what was done since */

/* The first statement of a call opens a transaction that sees one tenant's rows, reads and writes only the plugin's
 * schema, is read-only for TH_TOOL_READ_ONLY and ends with the handler: commit on TH_OK, rollback otherwise. The call's
 * deadline and cancel reach the running statement. One statement per function; SELECT, INSERT, UPDATE, DELETE, MERGE,
 * VALUES and WITH only.
 *
 * exec and query answer TH_OK; TH_E_INVALID (SQLSTATE 22xxx; text with NUL; an unknown TH_V_* or flag); TH_E_CONFLICT
 * (23xxx); TH_E_DENIED (42501; 25006: a write by a read-only tool; another kind of statement); TH_E_RETRY (40001,
 * 40P01); TH_E_CANCELLED or TH_E_TIMEOUT (57014); TH_E_UNAVAILABLE (no server); TH_E_LIMIT (too many bytes of rows);
 * TH_E_MISUSE (wrong thread; a TH_TOOL_NONBLOCKING tool, which has no database); TH_E_INTERNAL (everything else, such
 * as a syntax error). last_error() then has the SQLSTATE. After a failure only rolling back a savepoint makes the
 * transaction usable again; a handler that returns TH_OK without that has failed with TH_E_INTERNAL and nothing was
 * written. */
typedef struct th_db_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* Runs `sql` with parameters $1..$n. `flags`: TH_DB_*. *affected (may be NULL) receives the number of rows inserted,
   * updated or deleted. */
  th_status (*exec)(th_call* call, th_str sql, const th_value* parameters, size_t n, uint32_t flags, int64_t* affected)
      TH_ON(worker);

  /* Runs `sql` and gives its rows in *out. The next statement or savepoint of the call ends them. */
  th_status (*query)(th_call* call, th_str sql, const th_value* parameters, size_t n, uint32_t flags, th_rows** out)
      TH_ON(worker);

  /* The next row: *row points at columns() values that live until the next next() or close() on these rows, or the next
   * statement. TH_OK; TH_END (none left); TH_E_MISUSE (the rows have ended); or a failure as of query, when the server
   * reports it late. */
  th_status (*next)(th_rows* rows, const th_value** row) TH_ON(worker);

  /* Number of columns; 0 on misuse. */
  size_t (*columns)(th_rows* rows) TH_ON(worker);

  /* Name of column `index`, which is less than columns(), else the name is empty. Lives as long as the rows. */
  th_str (*column_name)(th_rows* rows, size_t index) TH_ON(worker);

  /* Ends the rows early. Optional: the host closes what is left open. */
  void (*close)(th_rows* rows) TH_ON(worker);

  /* `operation`: TH_SAVEPOINT_*. TH_OK; TH_E_INVALID (unknown operation); TH_E_MISUSE (none is open to release or roll
   * back, or as exec); TH_E_CANCELLED, TH_E_TIMEOUT, TH_E_UNAVAILABLE, TH_E_INTERNAL as exec. */
  th_status (*savepoint)(th_call* call, int32_t operation) TH_ON(worker);
} th_db_api;

/* ---- "toolhost.config/1": the plugin's settings ---- */

#define TH_SVC_CONFIG "toolhost.config/1"

/* Settings by JSON Pointer, already checked against config_schema. With a call: those in force for its tenant, on the
 * call's thread, and strings live until the handler returns; the next call may find others, this one never does. With
 * NULL: the plugin's own, on any thread, and strings live until destroy(); they never change under a running instance.
 * Every function answers TH_OK; TH_E_NOT_FOUND (not set); TH_E_INVALID (of another kind); TH_E_MISUSE; and leaves *out
 * alone when it fails. */
typedef struct th_config_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* A string, unescaped. */
  th_status (*str)(th_host* host, th_call* call, th_str pointer, th_str* out) TH_ON(any);
  /* A number without fraction that fits int64_t. */
  th_status (*i64)(th_host* host, th_call* call, th_str pointer, int64_t* out) TH_ON(any);
  /* Anything, as compact JSON text. */
  th_status (*json)(th_host* host, th_call* call, th_str pointer, th_str* out) TH_ON(any);
} th_config_api;

/* ---- "toolhost.token/1": cursors and handles that a client carries and cannot change ---- */

#define TH_SVC_TOKEN "toolhost.token/1"
#define TH_TOKEN_MAX_DATA 4096u /* bytes that seal() takes */

/* A token is URL-safe text (A-Z a-z 0-9 - _). The host authenticates it and binds it to the plugin and the tenant. It
 * is not encrypted: whoever holds it can read the data. It holds on every host that shares the sealing key, and does
 * not expire. */
typedef struct th_token_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* Makes a token of `data`, any bytes. *token lives until the handler returns. TH_OK; TH_E_LIMIT (more than
   * TH_TOKEN_MAX_DATA bytes); TH_E_MISUSE. */
  th_status (*seal)(th_call* call, th_str data, th_str* token) TH_ON(worker);

  /* The data of a token that seal() made for this plugin and this tenant. *data lives until the handler returns. TH_OK;
   * TH_E_INVALID (forged, damaged, or of another plugin or tenant); TH_E_MISUSE. */
  th_status (*open)(th_call* call, th_str token, th_str* data) TH_ON(worker);
} th_token_api;

/* ---- "toolhost.people/1": the members of the caller's tenant ---- */

#define TH_SVC_PEOPLE "toolhost.people/1"

/* One member. Frozen. The strings live until the handler returns. */
typedef struct th_person {
  th_str email;
  th_str name; /* for people; may be empty */
  th_str role; /* as in th_call_info */
} th_person;

typedef struct th_people_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* The members whom `text` names, sorted by name: those with that e-mail address; if there are none, those with that
   * whole name; if there are none, those whose name has words that begin like the words of `text`. Case and accents do
   * not count. Empty text: all members. Writes at most `capacity` of them to `out` and their full number to *found.
   * TH_OK, also for none; TH_E_MISUSE. */
  th_status (*find)(th_call* call, th_str text, th_person* out, size_t capacity, size_t* found) TH_ON(worker);
} th_people_api;

/* ---- "toolhost.reads/1": the views of other plugins that this one may read ---- */

#define TH_SVC_READS "toolhost.reads/1"

/* From create() on. The strings live as long as the instance. */
typedef struct th_reads_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */

  /* The view number `index`: the plugin it belongs to, and its name as SQL writes it: "tickets"."search_documents".
   * TH_OK; TH_E_NOT_FOUND (there are not so many). */
  th_status (*view)(th_host* host, size_t index, th_str* plugin_id, th_str* sql_name) TH_ON(any);
} th_reads_api;

#if TH_ABI_TARGET >= 1
/* ---- "toolhost.client/1": the assistant behind the call, and the person behind it ---- */

#define TH_SVC_CLIENT "toolhost.client/1"

/* What a client can be asked for. `params_json` is the MCP request's "params", the answer its "result". */
#define TH_ASK_FORM 1u     /* elicitation/create: {"message", "requestedSchema"} */
#define TH_ASK_URL 2u      /* elicitation/create: {"message", "url"}: something to do in a browser */
#define TH_ASK_SAMPLING 3u /* sampling/createMessage: {"messages", "maxTokens", ...} */
#define TH_ASK_ROOTS 4u    /* roots/list: {} or nothing */

#define TH_ASK_MAX_QUESTIONS 16u /* of one round */
#define TH_ASK_MAX_ROUNDS 10u

/* Asking is running again. ask() notes the question and answers TH_E_ASKED; the handler returns that, its transaction
 * is rolled back, and no thread waits. With the answers the handler runs again from its top, and ask() with the same
 * key gives the answer at once. So what precedes a question runs again: put effects outside the database, and
 * statements with TH_DB_LAST, after the last one. */
typedef struct th_client_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* 1 when the client has said that it can be asked this kind (TH_ASK_*), else 0; 0 in a job, and on misuse. */
  int32_t (*can)(th_call* call, uint32_t kind) TH_ON(worker);
  /* Asks the client. `key`: 1 to 64 of a-z 0-9 _ ; the same question has the same key in every run. Several questions
   * that precede the first return of TH_E_ASKED are asked together.
   *   TH_OK             *answer is the client's result, a JSON object that fits the question; lives until the handler
   *                     returns
   *   TH_E_ASKED        return it now
   *   TH_E_UNSUPPORTED  the client cannot be asked this; returned unhandled, the client is told what it lacks
   *   TH_E_DENIED       the client answered with an error; last_error() has its message
   *   TH_E_TIMEOUT      nobody answered in time
   *   TH_E_INVALID      `params_json` is not what the kind needs, or an unknown kind, or no key
   *   TH_E_LIMIT        more than TH_ASK_MAX_QUESTIONS or TH_ASK_MAX_ROUNDS, or params over 64 KiB
   *   TH_E_MISUSE       wrong thread; a statement with TH_DB_LAST has written already */
  th_status (*ask)(th_call* call, uint32_t kind, th_str key, th_str params_json, th_str* answer) TH_ON(worker);
  /* How often the client has answered this call: 0 in the first run. */
  uint32_t (*round)(th_call* call) TH_ON(worker);
  /* A log message to the client: `level` 0 to 7 is debug, info, notice, warning, error, critical, alert, emergency;
   * `logger` may be empty; `data_json` is any JSON. Dropped when the client wants only higher levels. TH_OK;
   * TH_E_INVALID; TH_E_LIMIT (over 64 KiB, or more than 200 in a second: dropped); TH_E_MISUSE. */
  th_status (*message)(th_call* call, int32_t level, th_str logger, th_str data_json) TH_ON(worker);
  /* Before a long wait: lets go of the connection if the client can come back for the result. TH_OK, also when it
   * cannot; TH_E_MISUSE. */
  th_status (*let_go)(th_call* call) TH_ON(worker);
} th_client_api;

/* ---- "toolhost.catalog/1": what a plugin offers has changed ---- */

#define TH_SVC_CATALOG "toolhost.catalog/1"

#define TH_LIST_TOOLS (1u << 0)
#define TH_LIST_RESOURCES (1u << 1)
#define TH_LIST_PROMPTS (1u << 2)

/* From create() until quiesce() has returned. Announcements are gathered for about a tenth of a second. */
typedef struct th_catalog_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* These lists (TH_LIST_*) should be fetched again. TH_OK; TH_E_INVALID (unknown bits); TH_E_MISUSE. */
  th_status (*changed)(th_host* host, uint32_t kinds) TH_ON(any);
  /* The resource `uri` has changed, for every tenant; those who subscribed to it are told. TH_OK; TH_E_INVALID (no
   * absolute URI); TH_E_LIMIT (more than 1,000 at a time: dropped); TH_E_MISUSE. */
  th_status (*updated)(th_host* host, th_str uri) TH_ON(any);
  /* The same, for the tenant of this call only, once its handler has returned TH_OK and what it wrote is saved. */
  th_status (*updated_for)(th_call* call, th_str uri) TH_ON(worker);
} th_catalog_api;

/* ---- "toolhost.prompt/1": the result of a prompt's handler ---- */

#define TH_SVC_PROMPT "toolhost.prompt/1"

#define TH_ROLE_USER 0
#define TH_ROLE_ASSISTANT 1

typedef struct th_prompt_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* What the prompt is for, with these arguments; else the declared description. TH_OK; TH_E_INVALID (not UTF-8);
   * TH_E_LIMIT; TH_E_MISUSE (not the handler of a prompt, too). */
  th_status (*description)(th_call* call, th_str text) TH_ON(worker);
  /* Appends a message of TH_ROLE_*. As th_call_api.content. */
  th_status (*message)(th_call* call, int32_t role, const th_content* block) TH_ON(worker);
} th_prompt_api;

/* ---- "toolhost.complete/1": the result of a completion's handler ---- */

#define TH_SVC_COMPLETE "toolhost.complete/1"
#define TH_COMPLETE_MAX_VALUES 100u

typedef struct th_complete_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Appends a value that the client may offer, best first. TH_OK; of more than TH_COMPLETE_MAX_VALUES the client learns
   * only that there are more. TH_E_INVALID (not UTF-8); TH_E_LIMIT; TH_E_MISUSE (not the handler of a completion,
   * too). */
  th_status (*value)(th_call* call, th_str value) TH_ON(worker);
  /* How many there are in all. TH_OK; TH_E_INVALID (negative); TH_E_MISUSE. */
  th_status (*total)(th_call* call, int64_t count) TH_ON(worker);
} th_complete_api;

/* ---- "toolhost.secrets/1": passwords and keys that the operator grants by name ---- */

#define TH_SVC_SECRETS "toolhost.secrets/1"

/* The host replaces the granted secrets, wherever they stand as they are, in the plugin's log records and in messages
 * of fail(). It does not know them in another form, such as base64. */
typedef struct th_secrets_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* The secret that the configuration grants this plugin as `name`. *out lives until the handler returns; then the host
   * wipes it. Keep no copy: another instance may get another one. TH_OK; TH_E_DENIED (not granted); TH_E_MISUSE. */
  th_status (*get)(th_call* call, th_str name, th_str* out) TH_ON(worker);
} th_secrets_api;

/* ---- "toolhost.executor/1": threads of the host for what goes on beside handlers ---- */

#define TH_SVC_EXECUTOR "toolhost.executor/1"
#define TH_EXECUTOR_THREADS 4u        /* of one instance, started as they are needed */
#define TH_EXECUTOR_MAX_WAITING 1024u /* functions of one instance that have not begun */

/* Unlike with threads of your own, the host knows when each function has returned, and waits for all before quiesce().
 * What was taken runs once. At a stop calls have their time to end; then none is taken and what waits runs at once. */
typedef struct th_executor_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Runs fn(context) on a thread of the host, soon. TH_OK; TH_E_LIMIT (too many wait) or TH_E_UNAVAILABLE (a stop, or
   * no thread): then it never runs; TH_E_MISUSE. */
  th_status (*submit)(th_host* host, th_fn fn, void* context) TH_ON(any);
  /* The same in `delay_us` microseconds, at most a day. TH_E_INVALID (negative or longer), too. */
  th_status (*after)(th_host* host, int64_t delay_us, th_fn fn, void* context) TH_ON(any);
} th_executor_api;

/* ---- "toolhost.metrics/1": what the plugin counts, for the operator's Prometheus ---- */

#define TH_SVC_METRICS "toolhost.metrics/1"
#define TH_METRIC_COUNTER 1u      /* only grows; its name ends with "_total" */
#define TH_METRIC_GAUGE 2u        /* goes up and down */
#define TH_METRIC_MAX_DEFINED 64u /* of one plugin */
#define TH_METRIC_MAX_LABELS 8u
#define TH_METRIC_MAX_SERIES 200u /* combinations of label values of one metric; the host keeps each for good */

/* Metrics stand at the host's /metrics as "toolhost_plugin_ID_NAME", where ID is the plugin's with '_' for '.'. They
 * begin at 0 with each instance. Label values are for words of the plugin's own: never for ids, tenants or free text.
 */
typedef struct th_metrics_api {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Declares a metric, while create() runs. `kind`: TH_METRIC_*. `name`: [a-z][a-z0-9_]*, up to 64 bytes, its unit at
   * the end. `help`: a sentence, up to 1,024 bytes. `labels`: such names, ended by NULL, or NULL. *metric is its
   * number, from 1. TH_OK; TH_E_INVALID; TH_E_CONFLICT (defined already); TH_E_LIMIT (too many metrics or labels);
   * TH_E_MISUSE (create() has returned). The log says why. */
  th_status (*define)(th_host* host, uint32_t kind, const char* name, const char* help, const char* const* labels,
                      uint32_t* metric) TH_ON(load);
  /* Adds `value` to the series with these `n` label values, in the order of the labels: up to 128 bytes of UTF-8 each,
   * without NUL. Series beyond TH_METRIC_MAX_SERIES are counted together as "(other)", which is reported once. Takes no
   * lock but for a new series. TH_OK; TH_E_INVALID (not finite, negative for a counter, other than `labels` says, not
   * UTF-8 or too long); TH_E_MISUSE (no such metric). */
  th_status (*add)(th_host* host, uint32_t metric, double value, const th_str* label_values, size_t n) TH_ON(any);
  /* The same, but a gauge's series becomes `value`. */
  th_status (*set)(th_host* host, uint32_t metric, double value, const th_str* label_values, size_t n) TH_ON(any);
} th_metrics_api;
#endif

/* ---- What a plugin declares. Written by the plugin, read by the host; grows. ---- */

#define TH_TOOL_READ_ONLY (1u << 0)   /* enforced: its transaction is read-only. MCP readOnlyHint */
#define TH_TOOL_DESTRUCTIVE (1u << 1) /* may undo or overwrite what others made. MCP destructiveHint */
#define TH_TOOL_IDEMPOTENT (1u << 2)  /* the host may run the handler again after TH_E_RETRY. MCP idempotentHint */
#define TH_TOOL_OPEN_WORLD (1u << 3)  /* reaches beyond this host and its database. MCP openWorldHint */
/* The handler never waits for anything: it runs on the thread where the call arrived, without a hop. It has no database
 * (TH_E_MISUSE). One that takes longer than 5 ms is counted as misbehaving, and its tool is moved to the workers. */
#define TH_TOOL_NONBLOCKING (1u << 4)
/* Not for clients: the host itself runs it, for one tenant at a time, as role "admin" with no key and no deadline of a
 * caller. Schemas, transaction and result are those of a tool. A result with "more": true is run again at once; "done"
 * and "total" (numbers) are shown as progress. The names "import", "export" and "reindex" are run by the commands of
 * that name (ABI.md, Jobs). Without arguments of a command a job gets {}. */
#define TH_TOOL_JOB (1u << 5)
/* A job: run also soon after a call or job of any plugin has written something for the tenant, on this host. What jobs
 * with this flag write does not count. */
#define TH_TOOL_AFTER_WRITES (1u << 6)
#if TH_ABI_TARGET >= 1
/* One call at a time per instance: max_concurrency is 1. */
#define TH_TOOL_SERIAL (1u << 7)
#endif

/* Runs one call of a tool. `instance`: from create(); `user`: from th_tool_def. `call` lives until this returns, or,
 * once deferred (minor 1), until complete().
 *   TH_OK                  what was pushed is the result; the host checks it against output_schema and commits
 *   what fail() returned   isError with that message; rolled back
 *   TH_PENDING             after defer() (minor 1): complete() says how the call ended
 *   TH_E_RETRY             rolled back; run again if the tool is IDEMPOTENT and attempts are left, else UNAVAILABLE
 *   another TH_E_*         isError with the host's own text for the status; rolled back
 *   anything else          as TH_E_INTERNAL, and counted as misbehaving */
typedef th_status (*th_handler)(void* instance, void* user, th_call* call);

typedef struct th_tool_def {
  uint32_t struct_size;
  uint32_t flags;            /* TH_TOOL_*; unknown flags are refused */
  const char* name;          /* 1 to 64 of A-Z a-z 0-9 _ - ; unique in the host */
  const char* title;         /* for people; may be NULL */
  const char* description;   /* for the model */
  const char* input_schema;  /* JSON Schema 2020-12, "type": "object" at the top, no $ref outside itself. What it marks
                              * with "x-sensitive": true, the host's audit never stores. */
  const char* output_schema; /* the same for structured content; NULL: not declared and not checked */
  const char* meta_json;     /* a JSON object passed through as the tool's _meta; may be NULL */
  uint32_t timeout_ms;       /* 0: the host's default. The host's configuration may shorten it */
  uint32_t reserved;         /* 0 */
  th_handler handle TH_ON(worker); /* runs its calls */
  void* user;                      /* passed to handle */
  uint32_t interval_ms;  /* a job: run at least this often for each tenant; 0: only on request, or after writes */
  uint32_t reserved_job; /* 0 */
#if TH_ABI_TARGET >= 1
  const char* icons_json; /* MCP icons, a JSON array; may be NULL */
  /* Calls of this tool that run at a time in an instance; 0: as many as there are workers. The others wait for their
   * turn, tenant by tenant, and hold no worker meanwhile; their deadlines and cancels hold. A call counts until its
   * handler has returned, even after its client was told that it timed out. Not for TH_TOOL_NONBLOCKING. */
  uint32_t max_concurrency;
  uint32_t reserved_limits; /* 0 */
#endif
} th_tool_def;

#if TH_ABI_TARGET >= 1
#define TH_RESOURCE_TEMPLATE (1u << 0)    /* `uri` is a template */
#define TH_RESOURCE_NONBLOCKING (1u << 1) /* as TH_TOOL_NONBLOCKING, for both handlers */

/* Something that clients may read. Handlers of resources, prompts and completions are those of tools: the same th_call,
 * the same statuses, a transaction that is always read-only. th_call_info.tool is "resource:NAME" or "prompt:NAME".
 *
 * `read` gets the arguments {"uri": "...", "variables": {"id": "..."}}, the variables percent-decoded ({} unless it is
 * a template), and pushes what it read by content(); a handler that pushes nothing has failed with TH_E_NOT_FOUND.
 * `complete` gets {"argument": {"name": "...", "value": "..."}, "context": {"arguments": {...}}}, without "context"
 * when the client sent none, and pushes by "toolhost.complete/1". */
typedef struct th_resource_def {
  uint32_t struct_size;
  uint32_t flags;          /* TH_RESOURCE_*; unknown flags are refused */
  const char* uri;         /* absolute, unique in the host; or an RFC 6570 template whose expressions are {name}, with
                            * text between them; each stands for one or more characters other than '/' */
  const char* name;        /* 1 to 64 of A-Z a-z 0-9 _ - ; unique in the host among resources */
  const char* title;       /* for people; may be NULL */
  const char* description; /* may be NULL */
  const char* mime_type;   /* may be NULL */
  const char* annotations_json;      /* a JSON object; may be NULL */
  const char* icons_json;            /* a JSON array; may be NULL */
  const char* meta_json;             /* a JSON object; may be NULL */
  int64_t size;                      /* bytes; 0 or less: not said */
  uint32_t timeout_ms;               /* as th_tool_def */
  uint32_t reserved;                 /* 0 */
  th_handler read TH_ON(worker);     /* pushes what is at the URI */
  th_handler complete TH_ON(worker); /* of a template's variables; may be NULL */
  void* user;                        /* passed to both */
} th_resource_def;

typedef struct th_prompt_argument {
  uint32_t struct_size;
  uint32_t required; /* 0 or 1 */
  const char* name;
  const char* title;       /* may be NULL */
  const char* description; /* may be NULL */
} th_prompt_argument;

#define TH_PROMPT_NONBLOCKING (1u << 0) /* as TH_TOOL_NONBLOCKING, for both handlers */

/* A prompt that people pick. `get` gets its arguments as an object of strings, the required ones present, and pushes by
 * "toolhost.prompt/1". */
typedef struct th_prompt_def {
  uint32_t struct_size;
  uint32_t flags;                             /* TH_PROMPT_*; unknown flags are refused */
  const char* name;                           /* 1 to 64 of A-Z a-z 0-9 _ - ; unique in the host among prompts */
  const char* title;                          /* for people; may be NULL */
  const char* description;                    /* may be NULL */
  const char* icons_json;                     /* a JSON array; may be NULL */
  const char* meta_json;                      /* a JSON object; may be NULL */
  const th_prompt_argument* const* arguments; /* pointers, ended by NULL; NULL: none */
  uint32_t timeout_ms;                        /* as th_tool_def */
  uint32_t reserved;                          /* 0 */
  th_handler get TH_ON(worker);               /* pushes the messages */
  th_handler complete TH_ON(worker);          /* of its arguments; may be NULL */
  void* user;                                 /* passed to both */
} th_prompt_def;
#endif

/* One step of the plugin's PostgreSQL schema. The host runs each step once, in order, in a transaction of its own, as
 * the owner of the plugin's schema, with the search path set to it. It stores a checksum: a step that has run must not
 * change. After the run every table must have a column `tenant_id integer not null default toolhost.tenant_id()` that
 * leads its primary key; the host puts the table under forced row-level security. A table without is refused, unless
 * shared_tables names it: all tenants read it, and only migrations write it. Views need security_invoker, unless they
 * are exported; SECURITY DEFINER functions are refused. */
typedef struct th_migration {
  uint32_t struct_size;
  uint32_t version; /* 1, 2, 3 ... without gaps */
  const char* name; /* e.g. "tickets" */
  const char* sql;  /* any number of statements; none that begins or ends a transaction */
} th_migration;

typedef struct th_plugin_def {
  uint32_t struct_size;
  uint32_t abi_minor;              /* TH_ABI_TARGET */
  uint32_t abi_minor_required;     /* TH_ABI_REQUIRED */
  uint32_t flags;                  /* 0: none is defined yet */
  const char* id;                  /* [a-z][a-z0-9_]*(\.[a-z0-9_]+)*, at most 47 bytes; the same as in the card */
  const char* name;                /* for people */
  const char* version;             /* e.g. "1.4.0"; the same as in the card */
  const char* vendor;              /* may be NULL */
  const char* config_schema;       /* JSON Schema of the settings, checked before create(); NULL: it has no settings */
  const char* const* services;     /* ids, ended by NULL; "?toolhost.db/1" is optional; NULL: none */
  const th_tool_def* const* tools; /* pointers, ended by NULL */
  const th_migration* const* migrations; /* pointers, ended by NULL; NULL: no tables */
  const char* const* shared_tables;      /* table names, ended by NULL; NULL: none */

  /* Makes an instance. Keep `host` for as long as the instance lives. *instance is passed to every handler; may stay
   * NULL. Any other answer than TH_OK refuses the plugin: log the reason first. NULL: there is nothing to make. */
  th_status (*create)(th_host* host, void** instance) TH_ON(load);

  /* Called when no handler, deferred call or function of the executor is left: stop and join the plugin's own threads
   * before `deadline_us` (wall clock). TH_OK: none will touch the host again. Anything else, or overstaying: the
   * instance is left alive for ever and destroy() is not called. NULL: there are none. */
  th_status (*quiesce)(void* instance, int64_t deadline_us) TH_ON(load);

  /* Ends the instance. NULL: there is nothing to end. */
  void (*destroy)(void* instance) TH_ON(load);

  /* Views of the plugin's schema that other plugins may read, ended by NULL; NULL: none. They run with the rights of the
   * schema's owner, who is held to the tenant like everybody: need no security_invoker, and show what they select and
   * no more. */
  const char* const* exports;

  /* What the plugin reads of others, ended by NULL; NULL: nothing. "tickets.ticket_titles": that view of that plugin,
   * without which this one is refused; "?tickets.ticket_titles": the same, or go without; "*.search_documents": every
   * view of that name. The host grants exactly these; "toolhost.reads/1" lists them. */
  const char* const* reads;

#if TH_ABI_TARGET >= 1
  const th_resource_def* const* resources; /* pointers, ended by NULL; NULL: none */
  const th_prompt_def* const* prompts;     /* pointers, ended by NULL; NULL: none */
#endif
} th_plugin_def;

/* ---- Identity card and entry ---- */

/* 128 bytes, frozen, in the ELF section ".toolhost_card": the host reads them from the file before it runs anything of
 * it. Strings are NUL-terminated and zero-filled. */
typedef struct th_card {
  char magic[8];      /* "THCARD1" */
  uint32_t card_size; /* 128 */
  uint32_t abi_major; /* 1 */
  uint32_t abi_minor;
  uint32_t abi_minor_required; /* greater than the host's minor: refused */
  char id[48];
  char version[24];
  char built_with[32]; /* compiler; information only */
} th_card;

typedef char th_check_card_is_128_bytes[sizeof(th_card) == 128 ? 1 : -1];

extern TH_EXPORT const th_card toolhost_card_v1;

/* The entry, called once in the life of the process, before create(). Sets *out to the definition, which lives as long
 * as the module. `api` lives as long as the process; `host` only until this returns, for logging: keep the one that
 * create() gets. Any other answer than TH_OK refuses the plugin: log the reason first. */
TH_EXPORT th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) TH_ON(load);
typedef th_status (*th_plugin_entry)(const th_host_api* api, th_host* host, const th_plugin_def** out);

#define TH_TEXT_OF_(x) #x
#define TH_TEXT_OF(x) TH_TEXT_OF_(x)
#if defined(__clang__)
#define TH_BUILT_WITH \
  "clang " TH_TEXT_OF(__clang_major__) "." TH_TEXT_OF(__clang_minor__) "." TH_TEXT_OF(__clang_patchlevel__)
#elif defined(__GNUC__)
#define TH_BUILT_WITH "gcc " TH_TEXT_OF(__GNUC__) "." TH_TEXT_OF(__GNUC_MINOR__) "." TH_TEXT_OF(__GNUC_PATCHLEVEL__)
#else
#define TH_BUILT_WITH "unknown"
#endif

/* Writes the card; once per plugin, at file scope: TH_CARD("acme_tickets", "1.4.0"); */
#define TH_CARD(plugin_id, plugin_version)                                                           \
  typedef char th_check_card_id_fits[sizeof(plugin_id) <= 48 ? 1 : -1];                              \
  typedef char th_check_card_version_fits[sizeof(plugin_version) <= 24 ? 1 : -1];                    \
  __attribute__((section(".toolhost_card"), used))                                                   \
  const th_card toolhost_card_v1 = {"THCARD1",       sizeof(th_card), TH_ABI_MAJOR,   TH_ABI_TARGET, \
                                    TH_ABI_REQUIRED, plugin_id,       plugin_version, TH_BUILT_WITH}

#ifdef __cplusplus
}
#endif
#endif /* TOOLHOST_PLUGIN_H */
