//! Plugins for Toolhost in Rust.
//!
//! A plugin is a `cdylib` crate with `plugin!` once in it:
//!
//! ```ignore
//! use toolhost_plugin::{Call, Error, Plugin, Tool};
//!
//! fn greet(call: &Call) -> Result<(), Error> {
//!     let name = call.str("/name")?;
//!     call.json(|out| out.str("greeted", name))
//! }
//!
//! fn define(plugin: &mut Plugin) {
//!     plugin.tool(Tool::new("greet", greet).title("Greet").read_only().input_schema(
//!         r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}"#,
//!     ));
//! }
//!
//! toolhost_plugin::plugin! { id: "acme.hello", name: "Hello", version: "0.1.0", define: define }
//! ```
//!
//! No panic leaves the library: one in a handler ends its call with `TH_E_INTERNAL`, and its text is in the host's log.
//! Underneath is [`raw`], the header as it is.
#![warn(unsafe_op_in_unsafe_fn)]

#[cfg(panic = "abort")]
compile_error!("a plugin must not abort the host: remove panic = \"abort\" from the profile");

/// A function of one of the host's tables; every host has those of minor 0.
macro_rules! function {
    ($place:expr) => {
        $place.expect(concat!("the host lacks ", stringify!($place)))
    };
}

mod beside;
#[cfg(test)]
mod beside_test;
mod call;
mod define;
mod error;
mod json;
#[cfg(test)]
mod layout_test;
mod offers;
pub mod raw;
mod sql;

pub use beside::Metric;
pub use call::{Call, Host, Info, Level, Person, ReadableView};
pub use define::{Plugin, Tool};
pub use error::Error;
pub use json::{Array, Object};
pub use offers::{Completing, Prompt, Prompting, Reading, Resource};
pub use sql::{Row, Rows, Savepoint, Value};

use raw::{th_call, th_card, th_host, th_host_api, th_plugin_def, th_status};
use std::cell::{Cell, RefCell};
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, Ordering};

/// What this crate knows, and what it cannot do without.
pub(crate) const ABI_MINOR: u32 = 1;
pub(crate) const ABI_MINOR_REQUIRED: u32 = 0;

const BUILT_WITH: &str = env!("TOOLHOST_PLUGIN_BUILT_WITH");
const SERVICES: [&str; 15] = [
    raw::TH_SVC_CALL,
    raw::TH_SVC_ARGS,
    raw::TH_SVC_JSON,
    raw::TH_SVC_DB,
    raw::TH_SVC_CONFIG,
    raw::TH_SVC_TOKEN,
    "?toolhost.people/1",
    "?toolhost.reads/1",
    // Of minor 1: without '?' a host of minor 0 would refuse plugins that use none of them.
    "?toolhost.client/1",
    "?toolhost.catalog/1",
    "?toolhost.prompt/1",
    "?toolhost.complete/1",
    "?toolhost.secrets/1",
    "?toolhost.executor/1",
    "?toolhost.metrics/1",
];

/// Declares the plugin: its card, its entry, and the function `define(&mut Plugin)` that says what it offers. Once, at
/// the root of the crate. `id` is `[a-z][a-z0-9_]*(\.[a-z0-9_]+)*`, at most 47 bytes; `version` at most 23.
#[macro_export]
macro_rules! plugin {
    (id: $id:literal, name: $name:literal, version: $version:expr, define: $define:path $(,)?) => {
        #[no_mangle]
        #[used]
        #[link_section = ".toolhost_card"]
        #[allow(non_upper_case_globals)]
        pub static toolhost_card_v1: $crate::raw::th_card = $crate::card($id, $version);

        /// The entry, which the host calls once.
        ///
        /// # Safety
        /// The pointers are those of the host.
        #[no_mangle]
        pub unsafe extern "C" fn toolhost_plugin_v1(
            api: *const $crate::raw::th_host_api,
            host: *mut $crate::raw::th_host,
            out: *mut *const $crate::raw::th_plugin_def,
        ) -> $crate::raw::th_status {
            unsafe { $crate::enter(api, host, out, [$id, $name, $version], $define) }
        }
    };
}

const fn is_plugin_id(id: &[u8]) -> bool {
    if id.is_empty() || id.len() > 47 || !id[0].is_ascii_lowercase() || id[id.len() - 1] == b'.' {
        return false;
    }
    let mut i = 0;
    while i < id.len() {
        let word = id[i].is_ascii_lowercase() || id[i].is_ascii_digit() || id[i] == b'_';
        if !word && !(id[i] == b'.' && id[i - 1] != b'.') {
            return false;
        }
        i += 1;
    }
    true
}

const fn text_field<const SIZE: usize>(text: &str) -> [c_char; SIZE] {
    let bytes = text.as_bytes();
    assert!(bytes.len() < SIZE, "a text of the card is too long: the id has at most 47 bytes, the version 23");
    let mut field = [0 as c_char; SIZE];
    let mut i = 0;
    while i < bytes.len() {
        field[i] = bytes[i] as c_char;
        i += 1;
    }
    field
}

/// The identity card; for `plugin!`.
#[doc(hidden)]
pub const fn card(id: &str, version: &str) -> th_card {
    assert!(is_plugin_id(id.as_bytes()), "the id must be [a-z][a-z0-9_]*(.[a-z0-9_]+)* of at most 47 bytes");
    th_card {
        magic: text_field("THCARD1"),
        card_size: 128,
        abi_major: raw::TH_ABI_MAJOR,
        abi_minor: ABI_MINOR,
        abi_minor_required: ABI_MINOR_REQUIRED,
        id: text_field(id),
        version: text_field(version),
        built_with: text_field(BUILT_WITH),
    }
}

/// The host's tables, which live as long as the process.
pub(crate) struct Tables {
    pub core: *const th_host_api,
    pub call: *const raw::th_call_api,
    pub args: *const raw::th_args_api,
    pub json: *const raw::th_json_api,
    pub db: *const raw::th_db_api,
    pub config: *const raw::th_config_api,
    pub token: *const raw::th_token_api,
    // Null where the host has none: those of minor 1 on older hosts.
    pub people: *const raw::th_people_api,
    pub reads: *const raw::th_reads_api,
    pub client: *const raw::th_client_api,
    pub catalog: *const raw::th_catalog_api,
    pub prompt: *const raw::th_prompt_api,
    pub complete: *const raw::th_complete_api,
    pub secrets: *const raw::th_secrets_api,
    pub executor: *const raw::th_executor_api,
    pub metrics: *const raw::th_metrics_api,
}
// Functions and numbers that nobody writes.
unsafe impl Sync for Tables {}

static TABLES: AtomicPtr<Tables> = AtomicPtr::new(std::ptr::null_mut());

pub(crate) fn current_tables() -> &'static Tables {
    unsafe { &*TABLES.load(Ordering::Acquire) }
}

thread_local! {
    /// Whether this thread is inside `guard`, and what the panic that it ran into said.
    static GUARDED: Cell<bool> = Cell::new(false);
    static PANIC: RefCell<String> = RefCell::new(String::new());
}

/// Panics inside `guard` are told to the host's log, with their place, and not to standard error. The standard library
/// is the plugin's own copy, so this concerns no other library.
fn keep_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if GUARDED.with(Cell::get) {
            PANIC.with(|text| *text.borrow_mut() = info.to_string().replace('\n', " "));
        } else {
            before(info);
        }
    }));
}

/// Runs `body`, and turns errors and panics into a status.
pub(crate) fn guard(
    tables: &'static Tables,
    host: *mut th_host,
    call: *mut th_call,
    body: impl FnOnce() -> Result<(), Error>,
) -> th_status {
    GUARDED.with(|guarded| guarded.set(true));
    let outcome = catch_unwind(AssertUnwindSafe(body));
    GUARDED.with(|guarded| guarded.set(false));
    match outcome {
        Ok(Ok(())) => raw::TH_OK,
        Ok(Err(error)) => define::status_of(tables, host, call, &error),
        Err(payload) => {
            std::mem::forget(payload); // dropping it could panic again
            let text = PANIC.with(|text| std::mem::take(&mut *text.borrow_mut()));
            if let Some(log) = unsafe { (*tables.core).log } {
                unsafe { log(host, call, raw::TH_LOG_ERROR, call::to_th(&text), std::ptr::null(), 0) }
            }
            raw::TH_E_INTERNAL
        }
    }
}

/// The entry; for `plugin!`.
///
/// # Safety
/// `api`, `host` and `out` are what the host passed to the plugin's entry.
#[doc(hidden)]
pub unsafe fn enter(
    api: *const th_host_api,
    host: *mut th_host,
    out: *mut *const th_plugin_def,
    [id, name, version]: [&str; 3],
    define: fn(&mut Plugin),
) -> th_status {
    keep_panics();
    let service = |id: &str| -> *const c_void {
        let terminated = format!("{id}\0");
        match unsafe { (*api).get_service } {
            Some(get_service) => unsafe { get_service(host, terminated.as_ptr().cast()) },
            None => std::ptr::null(),
        }
    };
    let tables: &'static Tables = Box::leak(Box::new(Tables {
        core: api,
        call: service(raw::TH_SVC_CALL).cast(),
        args: service(raw::TH_SVC_ARGS).cast(),
        json: service(raw::TH_SVC_JSON).cast(),
        db: service(raw::TH_SVC_DB).cast(),
        config: service(raw::TH_SVC_CONFIG).cast(),
        token: service(raw::TH_SVC_TOKEN).cast(),
        people: service(raw::TH_SVC_PEOPLE).cast(),
        reads: service(raw::TH_SVC_READS).cast(),
        client: service(raw::TH_SVC_CLIENT).cast(),
        catalog: service(raw::TH_SVC_CATALOG).cast(),
        prompt: service(raw::TH_SVC_PROMPT).cast(),
        complete: service(raw::TH_SVC_COMPLETE).cast(),
        secrets: service(raw::TH_SVC_SECRETS).cast(),
        executor: service(raw::TH_SVC_EXECUTOR).cast(),
        metrics: service(raw::TH_SVC_METRICS).cast(),
    }));
    TABLES.store(tables as *const Tables as *mut Tables, Ordering::Release);
    guard(tables, host, std::ptr::null_mut(), || {
        let mut plugin = Plugin::default();
        define(&mut plugin);
        unsafe { *out = plugin.keep(id, name, version, &SERVICES) };
        Ok(())
    })
}
