/* A correct plugin of one tool, made wrong in one respect by FAULT: one of the names below. NONE is the correct one.
 * tests/e2e/plugin-check.test.mjs says which check of `toolhost plugin validate` finds it. */
#define _GNU_SOURCE
#define NONE 0
#define ENTRY_FAILS 1
#define ENTRY_GIVES_NOTHING 2
#define STRUCT_TINY 3
#define STRUCT_ZERO 4
#define STRUCT_HUGE 5
#define FUTURE_BYTES 6
#define OTHER_MAJOR 7
#define NEWER_MINOR 8
#define UNKNOWN_SERVICE 9
#define NULL_TOOL 10
#define NULL_HANDLER 11
#define NULL_NAME 12
#define DUPLICATE_TOOL 13
#define INVALID_UTF8 14
#define SCHEMA_NOT_JSON 15
#define SCHEMA_NOT_OBJECT 16
#define SCHEMA_REMOTE_REF 17
#define SCHEMA_DEEP 18
#define CARD_DIFFERS 19
#define NO_CARD 20
#define UNKNOWN_FLAG 21
#define FLAGS_CONTRADICT 22
#define STRAY_EXPORT 23
#define TEXT_RELOCATION 24
#define CONSTRUCTOR_ABORTS 25
#define CONSTRUCTOR_SLEEPS 26
#define CONSTRUCTOR_STARTS_THREAD 27
#define UNDEFINED_SYMBOL 28
#define DESTRUCTOR 29
#define DEFINITION_CHANGES 30
#define CREATE_FAILS 31
#define LONGJMPS 32
#define UNKNOWN_STATUS 33
#define PUSHES_NOTHING 34
#define PUSHES_GIBIBYTE 35
#define MALFORMED_JSON 36
#define OUTPUT_DIFFERS 37
#define OPEN_JSON 38
#define NEVER_RETURNS 39
#define KEEPS_ROWS_OPEN 40
#define SQL_COMMIT 41
#define SQL_SET 42
#define WRITES_READ_ONLY 43
#define LOG_FLOOD 44
#define THREAD_STAYS 45
#define EXITS 46
#define FORKS 47
#define CLOSES_DESCRIPTORS 48
#define CHANGES_LOCALE 49
#define CHANGES_SIGNALS 50
#define CHANGES_UMASK 51
#define STACK_OVERFLOW 52
#define SEGFAULT 53
#define LEAKS 54
#define NO_INSTANCE 55
#define OPTIONAL_UNCHECKED 56
#define NEWER_UNCHECKED 57
#define IGNORES_CANCEL 58
#define RACES 59
#define RARE_CRASH 60
#define PRINTS 61
#define EATS_MEMORY 62
#define FLOODS_ERRORS 63
#define HIDES_PROCESS 64

#if FAULT == NEWER_UNCHECKED
#define TH_ABI_TARGET 1u
#define TH_ABI_REQUIRED 0u
#endif
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <toolhost/plugin.h>
#include <unistd.h>

#define ID "faulty"

#if FAULT == OTHER_MAJOR
#define MAJOR 2u
#else
#define MAJOR TH_ABI_MAJOR
#endif
#if FAULT == NEWER_MINOR
#define MINOR 99u
#define MINOR_REQUIRED 99u
#else
#define MINOR TH_ABI_TARGET
#define MINOR_REQUIRED TH_ABI_REQUIRED
#endif
#if FAULT != NO_CARD
const th_card toolhost_card_v1 __attribute__((section(".toolhost_card"), used)) = {
    "THCARD1", sizeof(th_card), MAJOR, MINOR, MINOR_REQUIRED, ID, "1.0.0", TH_BUILT_WITH};
#endif

#if FAULT == STRAY_EXPORT
TH_EXPORT int faulty_helper(void);
int faulty_helper(void) {
  return 1;
}
#endif

#if FAULT == TEXT_RELOCATION
__asm__(".text\n.align 8\n.quad toolhost_plugin_v1\n");
#endif

#if FAULT == UNDEFINED_SYMBOL
int faulty_is_nowhere(void);
#endif

static void wait_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

#if FAULT == CONSTRUCTOR_ABORTS || FAULT == CONSTRUCTOR_SLEEPS || FAULT == CONSTRUCTOR_STARTS_THREAD
static void* idle(void* unused) {
  for (;;) wait_ms(60000);
  return unused;
}
__attribute__((constructor)) static void begin(void) {
  pthread_t thread;
  (void)thread;
  (void)idle;
#if FAULT == CONSTRUCTOR_ABORTS
  abort();
#elif FAULT == CONSTRUCTOR_SLEEPS
  wait_ms(1100);
#else
  pthread_create(&thread, NULL, idle, NULL);
#endif
}
#endif

#if FAULT == DESTRUCTOR
__attribute__((destructor)) static void end(void) {
  wait_ms(1);
}
#endif

static const th_host_api* core;
static const th_call_api* calls;
static const th_args_api* args;
static const th_json_api* json;
static const th_db_api* db;
static th_host* host_of_instance;

#if FAULT == STACK_OVERFLOW
static int deeper(volatile char* above, int depth) {
  volatile char block[4096];
  block[0] = above[0];
  return deeper(block, depth + 1) + block[depth % 4096];
}
#endif

#if FAULT == LONGJMPS
static jmp_buf far_away;
#endif

#if FAULT == RACES
static atomic_int inside;
#endif

static th_status answer(th_call* call) {
  json->begin_object(call);
  json->key(call, TH_STR("count"));
#if FAULT == OUTPUT_DIFFERS
  json->str(call, TH_STR("three"));
#else
  json->i64(call, 3);
#endif
#if FAULT != OPEN_JSON
  json->end(call);
#endif
  return calls->text(call, TH_STR("done"));
}

static th_status handle(void* instance, void* user, th_call* call) {
  th_str text = {"", 0};
  (void)user;
  (void)instance;
  args->str(call, TH_STR("/text"), &text);
#if FAULT == LONGJMPS
  longjmp(far_away, 1);
#elif FAULT == UNKNOWN_STATUS
  return 12345;
#elif FAULT == PUSHES_NOTHING
  return TH_OK;
#elif FAULT == PUSHES_GIBIBYTE
  {
    static char block[65536];
    th_str piece = {block, sizeof block};
    int i;
    memset(block, 'x', sizeof block);
    for (i = 0; i < 16384; ++i) calls->text(call, piece);
    return TH_OK;
  }
#elif FAULT == MALFORMED_JSON
  calls->structured(call, TH_STR("{\"count\": 3"));
  return calls->text(call, TH_STR("done"));
#elif FAULT == NEVER_RETURNS
  for (;;) wait_ms(1000);
#elif FAULT == KEEPS_ROWS_OPEN
  {
    th_rows* rows = NULL;
    const th_value* row = NULL;
    th_status status = db->query(call, TH_STR("select generate_series(1, 1000)"), NULL, 0, 0, &rows);
    if (status == TH_OK) status = db->next(rows, &row);
    if (status != TH_OK) return status;
  }
#elif FAULT == SQL_COMMIT
  db->exec(call, TH_STR("commit"), NULL, 0, 0, NULL);
#elif FAULT == SQL_SET
  db->exec(call, TH_STR("select set_config('app.tenant_id', '1', true)"), NULL, 0, 0, NULL);
#elif FAULT == WRITES_READ_ONLY
  db->exec(call, TH_STR("insert into notes (body) values ('x')"), NULL, 0, 0, NULL);
#elif FAULT == LOG_FLOOD
  {
    int i;
    for (i = 0; i < 1000000; ++i) core->log(host_of_instance, call, TH_LOG_INFO, TH_STR("still here"), NULL, 0);
  }
#elif FAULT == EXITS
  exit(0);
#elif FAULT == FORKS
  if (fork() == 0) {
    setsid();
    for (;;) wait_ms(1000);
  }
#elif FAULT == CLOSES_DESCRIPTORS
  {
    int fd;
    for (fd = 0; fd <= 100; ++fd) close(fd);
  }
#elif FAULT == CHANGES_LOCALE
  setlocale(LC_ALL, "C.UTF-8");
#elif FAULT == CHANGES_SIGNALS
  signal(SIGTERM, SIG_IGN);
#elif FAULT == CHANGES_UMASK
  umask(0);
#elif FAULT == STACK_OVERFLOW
  {
    volatile char block[1] = {0};
    return deeper(block, 0);
  }
#elif FAULT == SEGFAULT
  *(volatile int*)8 = 1;
#elif FAULT == LEAKS
  {
    volatile char* lost = malloc(200);
    if (lost != NULL) lost[0] = 1;
  }
#elif FAULT == NO_INSTANCE
  *(volatile int*)instance = 1;
#elif FAULT == OPTIONAL_UNCHECKED
  {
    th_person people[1];
    size_t found = 0;
    const th_people_api* members = (const th_people_api*)core->get_service(host_of_instance, TH_SVC_PEOPLE);
    members->find(call, text, people, 1, &found);
  }
#elif FAULT == NEWER_UNCHECKED
  calls->progress(call, 1, 2, TH_STR("half"));
#elif FAULT == IGNORES_CANCEL
  wait_ms(1500);
#elif FAULT == RACES
  {
    const int others = atomic_fetch_add(&inside, 1);
    wait_ms(2);
    atomic_fetch_sub(&inside, 1);
    if (others > 0) return TH_E_INTERNAL;
  }
#elif FAULT == RARE_CRASH
  if (text.len > 150) abort();
#elif FAULT == FLOODS_ERRORS
  for (;;) fputs("still here, and still here, and still here\n", stderr);
#elif FAULT == HIDES_PROCESS
  {
    const pid_t first = fork();
    if (first == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      for (;;) wait_ms(1000);
    }
    waitpid(first, NULL, 0);
  }
#elif FAULT == PRINTS
  printf("working\n");
#elif FAULT == EATS_MEMORY
  for (;;) {
    char* more = malloc(1 << 20);
    if (more != NULL) memset(more, 1, 1 << 20);
  }
#endif
  return answer(call);
}

#define SCHEMA_PROPERTIES                                                             \
  "\"properties\":{\"text\":{\"type\":\"string\",\"maxLength\":200},\"n\":{\"type\":" \
  "\"integer\",\"minimum\":0,\"maximum\":10}},\"additionalProperties\":false}"
#if FAULT == SCHEMA_NOT_JSON
#define SCHEMA "{\"type\":\"object\",\"properties\":{"
#elif FAULT == SCHEMA_NOT_OBJECT
#define SCHEMA "{\"type\":\"string\"}"
#elif FAULT == SCHEMA_REMOTE_REF
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"text\":{\"$ref\":\"https://example.com/text.json\"}}}"
#elif FAULT == SCHEMA_DEEP
static char deep_schema[100001];
#define SCHEMA deep_schema
#else
#define SCHEMA "{\"type\":\"object\"," SCHEMA_PROPERTIES
#endif
#if FAULT == PUSHES_NOTHING || FAULT == PUSHES_GIBIBYTE
#define OUTPUT NULL
#else
#define OUTPUT                                                                                       \
  "{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\"}},\"required\":[\"count\"]," \
  "\"additionalProperties\":false}"
#endif
#if FAULT == UNKNOWN_FLAG
#define FLAGS (1u << 30)
#elif FAULT == FLAGS_CONTRADICT
#define FLAGS (TH_TOOL_READ_ONLY | TH_TOOL_DESTRUCTIVE)
#elif FAULT == WRITES_READ_ONLY || FAULT == KEEPS_ROWS_OPEN
#define FLAGS TH_TOOL_READ_ONLY
#else
#define FLAGS 0
#endif
#if FAULT == NULL_NAME
#define NAME NULL
#else
#define NAME "work"
#endif
#if FAULT == INVALID_UTF8
#define DESCRIPTION "\xff\xfe made for tests"
#else
#define DESCRIPTION "Made for tests."
#endif
#if FAULT == NULL_HANDLER
#define HANDLER NULL
#else
#define HANDLER handle
#endif

#if FAULT == DEFINITION_CHANGES
#define STATIC static
#else
#define STATIC static const
#endif
STATIC th_tool_def tool = {.struct_size = sizeof(th_tool_def),
                           .flags = FLAGS,
                           .name = NAME,
                           .description = DESCRIPTION,
                           .input_schema = SCHEMA,
                           .output_schema = OUTPUT,
                           .handle = HANDLER};
#if FAULT == NULL_TOOL
static const th_tool_def* const tools[] = {NULL, &tool, NULL};
#elif FAULT == DUPLICATE_TOOL
static const th_tool_def* const tools[] = {&tool, &tool, NULL};
#else
static const th_tool_def* const tools[] = {&tool, NULL};
#endif

static const char* const services[] = {TH_SVC_CALL,
                                       TH_SVC_ARGS,
                                       TH_SVC_JSON,
                                       TH_SVC_DB,
#if FAULT == UNKNOWN_SERVICE
                                       "acme.nowhere/1",
#elif FAULT == OPTIONAL_UNCHECKED
                                       "?" TH_SVC_PEOPLE,
#endif
                                       NULL};

#if FAULT == KEEPS_ROWS_OPEN || FAULT == SQL_COMMIT || FAULT == SQL_SET || FAULT == WRITES_READ_ONLY
static const th_migration first = {sizeof(th_migration), 1, "notes",
                                   "create table notes (tenant_id integer not null default toolhost.tenant_id(), "
                                   "id bigint generated always as identity, body text not null, "
                                   "primary key (tenant_id, id));"};
static const th_migration* const migrations[] = {&first, NULL};
#else
static const th_migration* const migrations[] = {NULL};
#endif

#if FAULT == THREAD_STAYS
static void* stay(void* unused) {
  for (;;) wait_ms(1000);
  return unused;
}
#endif

static th_status create(th_host* host, void** instance) {
  host_of_instance = host;
#if FAULT != NO_INSTANCE
  *instance = &host_of_instance;
#else
  (void)instance;
#endif
#if FAULT == CREATE_FAILS
  core->log(host, NULL, TH_LOG_ERROR, TH_STR("the licence has run out"), NULL, 0);
  return TH_E_DENIED;
#elif FAULT == DEFINITION_CHANGES
  tool.description = "Something else.";
#elif FAULT == THREAD_STAYS
  {
    pthread_t thread;
    pthread_create(&thread, NULL, stay, NULL);
    pthread_detach(thread);
  }
#elif FAULT == LONGJMPS
  if (setjmp(far_away) != 0) return TH_E_INTERNAL;
#endif
  return TH_OK;
}

/* The definition as a much later header might have it. */
static const struct {
  th_plugin_def known;
  uint64_t added_later[64];
} definition = {.known =
                    {
#if FAULT == STRUCT_TINY
                        .struct_size = 4,
#elif FAULT == STRUCT_ZERO
                        .struct_size = 0,
#elif FAULT == STRUCT_HUGE
                        .struct_size = 1u << 30,
#elif FAULT == FUTURE_BYTES
                        .struct_size = sizeof definition,
#else
                        .struct_size = sizeof(th_plugin_def),
#endif
                        .abi_minor = MINOR,
                        .abi_minor_required = MINOR_REQUIRED,
#if FAULT == CARD_DIFFERS
                        .id = "another",
#else
                        .id = ID,
#endif
                        .name = "Faulty",
                        .version = "1.0.0",
                        .services = services,
                        .tools = tools,
                        .migrations = migrations,
                        .create = create},
                .added_later = {[63] = 1}};

TH_EXPORT th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  core = api;
  calls = (const th_call_api*)api->get_service(host, TH_SVC_CALL);
  args = (const th_args_api*)api->get_service(host, TH_SVC_ARGS);
  json = (const th_json_api*)api->get_service(host, TH_SVC_JSON);
  db = (const th_db_api*)api->get_service(host, TH_SVC_DB);
  (void)db;
  (void)core;
#if FAULT == UNDEFINED_SYMBOL
  if (faulty_is_nowhere()) return TH_E_INTERNAL;
#elif FAULT == SCHEMA_DEEP
  memset(deep_schema, '[', sizeof deep_schema - 1);
#endif
#if FAULT == ENTRY_FAILS
  api->log(host, NULL, TH_LOG_ERROR, TH_STR("the licence has run out"), NULL, 0);
  return TH_E_DENIED;
#elif FAULT == ENTRY_GIVES_NOTHING
  (void)definition;
  (void)out;
  return TH_OK;
#else
  *out = &definition.known;
  return TH_OK;
#endif
}
