//! `toolhost/plugin.h`, minor 1, as it is: structs, constants and what they mean are documented there. Nothing here is
//! safe to call on its own; the rest of the crate wraps it.
//!
//! The tests hold every struct, field and constant to `abi/layout-1.1.golden`, like the C compilers.
#![allow(non_camel_case_types, missing_docs)]

use std::os::raw::{c_char, c_void};

/// How something ended: `TH_OK`, `TH_END` or a negative `TH_E_*`.
pub type th_status = i32;

/// Runs one call: instance, user, call.
pub type th_handler = Option<unsafe extern "C" fn(*mut c_void, *mut c_void, *mut th_call) -> th_status>;

/// Runs once, with the context it was submitted with.
pub type th_fn = Option<unsafe extern "C" fn(*mut c_void)>;

/// One per plugin instance; opaque.
#[repr(C)]
pub struct th_host {
    _opaque: [u8; 0],
}
/// One per call; opaque.
#[repr(C)]
pub struct th_call {
    _opaque: [u8; 0],
}
/// One per query; opaque.
#[repr(C)]
pub struct th_rows {
    _opaque: [u8; 0],
}

/// What a `th_value` holds, by its type.
#[repr(C)]
#[derive(Clone, Copy)]
pub union th_value_union {
    pub i64: i64,
    pub f64: f64,
    pub s: th_str,
}

/// A struct as the tests compare it with the golden file: name, size, and name, offset, size and type of each field.
#[cfg(test)]
pub(crate) struct Layout {
    pub name: &'static str,
    pub size: usize,
    pub fields: Vec<(&'static str, usize, usize, &'static str)>,
}

macro_rules! structs {
    ($(struct $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct $name {
                $(pub $field: $type,)*
            }
        )*

        #[cfg(test)]
        pub(crate) fn layouts() -> Vec<Layout> {
            vec![$({
                let place = std::mem::MaybeUninit::<$name>::uninit();
                let base = place.as_ptr();
                Layout {
                    name: stringify!($name),
                    size: std::mem::size_of::<$name>(),
                    fields: vec![$((
                        stringify!($field),
                        unsafe { std::ptr::addr_of!((*base).$field) as usize } - base as usize,
                        std::mem::size_of::<$type>(),
                        stringify!($type),
                    ),)*],
                }
            },)*]
        }
    };
}

macro_rules! constants {
    ($($name:ident: $type:ty = $value:expr;)*) => {
        $(pub const $name: $type = $value;)*

        #[cfg(test)]
        pub(crate) fn constants() -> Vec<(&'static str, String)> {
            vec![$((stringify!($name), $name.to_string()),)*]
        }
    };
}

structs! {
    struct th_str {
        ptr: *const c_char,
        len: usize,
    }
    struct th_uuid {
        b: [u8; 16],
    }
    struct th_value {
        type_: u32,
        reserved: u32,
        u: th_value_union,
    }
    struct th_host_api {
        struct_size: u32,
        abi_minor: u32,
        product: *const c_char,
        version: *const c_char,
        get_service: Option<unsafe extern "C" fn(*mut th_host, *const c_char) -> *const c_void>,
        log: Option<unsafe extern "C" fn(*mut th_host, *mut th_call, i32, th_str, *const th_str, usize)>,
        log_enabled: Option<unsafe extern "C" fn(*mut th_host, i32) -> i32>,
        now_us: Option<unsafe extern "C" fn(*mut th_host) -> i64>,
        new_uuid: Option<unsafe extern "C" fn(*mut th_host) -> th_uuid>,
    }
    struct th_call_info {
        struct_size: u32,
        attempt: u32,
        tenant: th_str,
        principal: th_str,
        key_prefix: th_str,
        request_id: th_str,
        tool: th_str,
        idempotency_key: th_str,
        time_zone: th_str,
        deadline_us: i64,
        role: th_str,
    }
    struct th_error {
        struct_size: u32,
        status: th_status,
        message: th_str,
        code: th_str,
        detail: th_str,
    }
    struct th_content {
        struct_size: u32,
        kind: u32,
        flags: u32,
        reserved: u32,
        text: th_str,
        bytes: th_str,
        mime_type: th_str,
        uri: th_str,
        name: th_str,
        title: th_str,
        description: th_str,
        size: i64,
        annotations_json: th_str,
        meta_json: th_str,
        icons_json: th_str,
    }
    struct th_call_api {
        struct_size: u32,
        reserved: u32,
        info: Option<unsafe extern "C" fn(*mut th_call, *mut th_call_info) -> th_status>,
        args_json: Option<unsafe extern "C" fn(*mut th_call) -> th_str>,
        text: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
        structured: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
        fail: Option<unsafe extern "C" fn(*mut th_call, th_status, th_str) -> th_status>,
        last_error: Option<unsafe extern "C" fn(*mut th_call, *mut th_error) -> th_status>,
        cancelled: Option<unsafe extern "C" fn(*mut th_call) -> i32>,
        content: Option<unsafe extern "C" fn(*mut th_call, *const th_content) -> th_status>,
        progress: Option<unsafe extern "C" fn(*mut th_call, f64, f64, th_str) -> th_status>,
        defer: Option<unsafe extern "C" fn(*mut th_call) -> th_status>,
        complete: Option<unsafe extern "C" fn(*mut th_call, th_status) -> th_status>,
        on_cancel: Option<unsafe extern "C" fn(*mut th_call, th_fn, *mut c_void) -> th_status>,
    }
    struct th_args_api {
        struct_size: u32,
        reserved: u32,
        kind: Option<unsafe extern "C" fn(*mut th_call, th_str) -> i32>,
        str: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut th_str) -> th_status>,
        i64: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut i64) -> th_status>,
        f64: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut f64) -> th_status>,
        boolean: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut i32) -> th_status>,
        size: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut usize) -> th_status>,
        key: Option<unsafe extern "C" fn(*mut th_call, th_str, usize, *mut th_str) -> th_status>,
    }
    struct th_json_api {
        struct_size: u32,
        reserved: u32,
        begin_object: Option<unsafe extern "C" fn(*mut th_call) -> th_status>,
        begin_array: Option<unsafe extern "C" fn(*mut th_call) -> th_status>,
        end: Option<unsafe extern "C" fn(*mut th_call) -> th_status>,
        key: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
        str: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
        i64: Option<unsafe extern "C" fn(*mut th_call, i64) -> th_status>,
        f64: Option<unsafe extern "C" fn(*mut th_call, f64) -> th_status>,
        boolean: Option<unsafe extern "C" fn(*mut th_call, i32) -> th_status>,
        null: Option<unsafe extern "C" fn(*mut th_call) -> th_status>,
    }
    struct th_db_api {
        struct_size: u32,
        reserved: u32,
        exec: Option<unsafe extern "C" fn(*mut th_call, th_str, *const th_value, usize, u32, *mut i64) -> th_status>,
        query: Option<unsafe extern "C" fn(*mut th_call, th_str, *const th_value, usize, u32, *mut *mut th_rows) -> th_status>,
        next: Option<unsafe extern "C" fn(*mut th_rows, *mut *const th_value) -> th_status>,
        columns: Option<unsafe extern "C" fn(*mut th_rows) -> usize>,
        column_name: Option<unsafe extern "C" fn(*mut th_rows, usize) -> th_str>,
        close: Option<unsafe extern "C" fn(*mut th_rows)>,
        savepoint: Option<unsafe extern "C" fn(*mut th_call, i32) -> th_status>,
    }
    struct th_config_api {
        struct_size: u32,
        reserved: u32,
        str: Option<unsafe extern "C" fn(*mut th_host, *mut th_call, th_str, *mut th_str) -> th_status>,
        i64: Option<unsafe extern "C" fn(*mut th_host, *mut th_call, th_str, *mut i64) -> th_status>,
        json: Option<unsafe extern "C" fn(*mut th_host, *mut th_call, th_str, *mut th_str) -> th_status>,
    }
    struct th_token_api {
        struct_size: u32,
        reserved: u32,
        seal: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut th_str) -> th_status>,
        open: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut th_str) -> th_status>,
    }
    struct th_person {
        email: th_str,
        name: th_str,
        role: th_str,
    }
    struct th_people_api {
        struct_size: u32,
        reserved: u32,
        find: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut th_person, usize, *mut usize) -> th_status>,
    }
    struct th_reads_api {
        struct_size: u32,
        reserved: u32,
        view: Option<unsafe extern "C" fn(*mut th_host, usize, *mut th_str, *mut th_str) -> th_status>,
    }
    struct th_client_api {
        struct_size: u32,
        reserved: u32,
        can: Option<unsafe extern "C" fn(*mut th_call, u32) -> i32>,
        ask: Option<unsafe extern "C" fn(*mut th_call, u32, th_str, th_str, *mut th_str) -> th_status>,
        round: Option<unsafe extern "C" fn(*mut th_call) -> u32>,
        message: Option<unsafe extern "C" fn(*mut th_call, i32, th_str, th_str) -> th_status>,
        let_go: Option<unsafe extern "C" fn(*mut th_call) -> th_status>,
    }
    struct th_catalog_api {
        struct_size: u32,
        reserved: u32,
        changed: Option<unsafe extern "C" fn(*mut th_host, u32) -> th_status>,
        updated: Option<unsafe extern "C" fn(*mut th_host, th_str) -> th_status>,
        updated_for: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
    }
    struct th_prompt_api {
        struct_size: u32,
        reserved: u32,
        description: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
        message: Option<unsafe extern "C" fn(*mut th_call, i32, *const th_content) -> th_status>,
    }
    struct th_complete_api {
        struct_size: u32,
        reserved: u32,
        value: Option<unsafe extern "C" fn(*mut th_call, th_str) -> th_status>,
        total: Option<unsafe extern "C" fn(*mut th_call, i64) -> th_status>,
    }
    struct th_secrets_api {
        struct_size: u32,
        reserved: u32,
        get: Option<unsafe extern "C" fn(*mut th_call, th_str, *mut th_str) -> th_status>,
    }
    struct th_executor_api {
        struct_size: u32,
        reserved: u32,
        submit: Option<unsafe extern "C" fn(*mut th_host, th_fn, *mut c_void) -> th_status>,
        after: Option<unsafe extern "C" fn(*mut th_host, i64, th_fn, *mut c_void) -> th_status>,
    }
    struct th_metrics_api {
        struct_size: u32,
        reserved: u32,
        define: Option<unsafe extern "C" fn(*mut th_host, u32, *const c_char, *const c_char, *const *const c_char, *mut u32) -> th_status>,
        add: Option<unsafe extern "C" fn(*mut th_host, u32, f64, *const th_str, usize) -> th_status>,
        set: Option<unsafe extern "C" fn(*mut th_host, u32, f64, *const th_str, usize) -> th_status>,
    }
    struct th_tool_def {
        struct_size: u32,
        flags: u32,
        name: *const c_char,
        title: *const c_char,
        description: *const c_char,
        input_schema: *const c_char,
        output_schema: *const c_char,
        meta_json: *const c_char,
        timeout_ms: u32,
        reserved: u32,
        handle: th_handler,
        user: *mut c_void,
        interval_ms: u32,
        reserved_job: u32,
        icons_json: *const c_char,
        max_concurrency: u32,
        reserved_limits: u32,
    }
    struct th_resource_def {
        struct_size: u32,
        flags: u32,
        uri: *const c_char,
        name: *const c_char,
        title: *const c_char,
        description: *const c_char,
        mime_type: *const c_char,
        annotations_json: *const c_char,
        icons_json: *const c_char,
        meta_json: *const c_char,
        size: i64,
        timeout_ms: u32,
        reserved: u32,
        read: th_handler,
        complete: th_handler,
        user: *mut c_void,
    }
    struct th_prompt_argument {
        struct_size: u32,
        required: u32,
        name: *const c_char,
        title: *const c_char,
        description: *const c_char,
    }
    struct th_prompt_def {
        struct_size: u32,
        flags: u32,
        name: *const c_char,
        title: *const c_char,
        description: *const c_char,
        icons_json: *const c_char,
        meta_json: *const c_char,
        arguments: *const *const th_prompt_argument,
        timeout_ms: u32,
        reserved: u32,
        get: th_handler,
        complete: th_handler,
        user: *mut c_void,
    }
    struct th_migration {
        struct_size: u32,
        version: u32,
        name: *const c_char,
        sql: *const c_char,
    }
    struct th_plugin_def {
        struct_size: u32,
        abi_minor: u32,
        abi_minor_required: u32,
        flags: u32,
        id: *const c_char,
        name: *const c_char,
        version: *const c_char,
        vendor: *const c_char,
        config_schema: *const c_char,
        services: *const *const c_char,
        tools: *const *const th_tool_def,
        migrations: *const *const th_migration,
        shared_tables: *const *const c_char,
        create: Option<unsafe extern "C" fn(*mut th_host, *mut *mut c_void) -> th_status>,
        quiesce: Option<unsafe extern "C" fn(*mut c_void, i64) -> th_status>,
        destroy: Option<unsafe extern "C" fn(*mut c_void)>,
        exports: *const *const c_char,
        reads: *const *const c_char,
        resources: *const *const th_resource_def,
        prompts: *const *const th_prompt_def,
    }
    struct th_card {
        magic: [c_char; 8],
        card_size: u32,
        abi_major: u32,
        abi_minor: u32,
        abi_minor_required: u32,
        id: [c_char; 48],
        version: [c_char; 24],
        built_with: [c_char; 32],
    }
}

constants! {
    TH_ABI_MAJOR: u32 = 1;
    TH_ASK_FORM: u32 = 1;
    TH_ASK_MAX_QUESTIONS: u32 = 16;
    TH_ASK_MAX_ROUNDS: u32 = 10;
    TH_ASK_ROOTS: u32 = 4;
    TH_ASK_SAMPLING: u32 = 3;
    TH_ASK_URL: u32 = 2;
    TH_CALL_MAX_DEFERRED: u32 = 1000;
    TH_COMPLETE_MAX_VALUES: u32 = 100;
    TH_C_AUDIO: u32 = 2;
    TH_C_IMAGE: u32 = 1;
    TH_C_IS_BYTES: u32 = 1 << 0;
    TH_C_LINK: u32 = 3;
    TH_C_RESOURCE: u32 = 4;
    TH_C_TEXT: u32 = 0;
    TH_DB_LAST: u32 = 1 << 0;
    TH_END: i32 = 1;
    TH_E_ASKED: i32 = -13;
    TH_E_CANCELLED: i32 = -7;
    TH_E_CONFLICT: i32 = -3;
    TH_E_DENIED: i32 = -4;
    TH_E_INTERNAL: i32 = -12;
    TH_E_INVALID: i32 = -1;
    TH_E_LIMIT: i32 = -9;
    TH_E_MISUSE: i32 = -11;
    TH_E_NOT_FOUND: i32 = -2;
    TH_E_RETRY: i32 = -8;
    TH_E_TIMEOUT: i32 = -6;
    TH_E_UNAVAILABLE: i32 = -5;
    TH_E_UNSUPPORTED: i32 = -10;
    TH_EXECUTOR_MAX_WAITING: u32 = 1024;
    TH_EXECUTOR_THREADS: u32 = 4;
    TH_METRIC_COUNTER: u32 = 1;
    TH_METRIC_GAUGE: u32 = 2;
    TH_METRIC_MAX_DEFINED: u32 = 64;
    TH_METRIC_MAX_LABELS: u32 = 8;
    TH_METRIC_MAX_SERIES: u32 = 200;
    TH_SVC_EXECUTOR: &str = "toolhost.executor/1";
    TH_SVC_METRICS: &str = "toolhost.metrics/1";
    TH_SVC_SECRETS: &str = "toolhost.secrets/1";
    TH_TOOL_SERIAL: u32 = 1 << 7;
    TH_J_ABSENT: i32 = 0;
    TH_J_ARRAY: i32 = 6;
    TH_J_BOOL: i32 = 2;
    TH_J_INT: i32 = 3;
    TH_J_NULL: i32 = 1;
    TH_J_NUMBER: i32 = 4;
    TH_J_OBJECT: i32 = 7;
    TH_J_STRING: i32 = 5;
    TH_LIST_PROMPTS: u32 = 1 << 2;
    TH_LIST_RESOURCES: u32 = 1 << 1;
    TH_LIST_TOOLS: u32 = 1 << 0;
    TH_LOG_CRITICAL: i32 = 5;
    TH_LOG_DEBUG: i32 = 1;
    TH_LOG_ERROR: i32 = 4;
    TH_LOG_INFO: i32 = 2;
    TH_LOG_TRACE: i32 = 0;
    TH_LOG_WARN: i32 = 3;
    TH_OK: i32 = 0;
    TH_PENDING: i32 = 2;
    TH_PROMPT_NONBLOCKING: u32 = 1 << 0;
    TH_RESOURCE_NONBLOCKING: u32 = 1 << 1;
    TH_RESOURCE_TEMPLATE: u32 = 1 << 0;
    TH_ROLE_ASSISTANT: i32 = 1;
    TH_ROLE_USER: i32 = 0;
    TH_SAVEPOINT_RELEASE: i32 = 1;
    TH_SAVEPOINT_ROLLBACK: i32 = 2;
    TH_SAVEPOINT_SET: i32 = 0;
    TH_SVC_ARGS: &str = "toolhost.args/1";
    TH_SVC_CALL: &str = "toolhost.call/1";
    TH_SVC_CATALOG: &str = "toolhost.catalog/1";
    TH_SVC_CLIENT: &str = "toolhost.client/1";
    TH_SVC_COMPLETE: &str = "toolhost.complete/1";
    TH_SVC_CONFIG: &str = "toolhost.config/1";
    TH_SVC_DB: &str = "toolhost.db/1";
    TH_SVC_JSON: &str = "toolhost.json/1";
    TH_SVC_PEOPLE: &str = "toolhost.people/1";
    TH_SVC_PROMPT: &str = "toolhost.prompt/1";
    TH_SVC_READS: &str = "toolhost.reads/1";
    TH_SVC_TOKEN: &str = "toolhost.token/1";
    TH_TOKEN_MAX_DATA: u32 = 4096;
    TH_TOOL_AFTER_WRITES: u32 = 1 << 6;
    TH_TOOL_DESTRUCTIVE: u32 = 1 << 1;
    TH_TOOL_IDEMPOTENT: u32 = 1 << 2;
    TH_TOOL_JOB: u32 = 1 << 5;
    TH_TOOL_NONBLOCKING: u32 = 1 << 4;
    TH_TOOL_OPEN_WORLD: u32 = 1 << 3;
    TH_TOOL_READ_ONLY: u32 = 1 << 0;
    TH_V_BOOL: u32 = 1;
    TH_V_BYTES: u32 = 5;
    TH_V_F64: u32 = 3;
    TH_V_I64: u32 = 2;
    TH_V_JSON: u32 = 6;
    TH_V_NULL: u32 = 0;
    TH_V_NUMERIC: u32 = 9;
    TH_V_TEXT: u32 = 4;
    TH_V_TIME: u32 = 8;
    TH_V_UUID: u32 = 7;
}
