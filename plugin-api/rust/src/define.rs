use crate::beside::{KeptMetric, Metric};
use crate::call::{to_th, Call, Host, Level};
use crate::error::Error;
use crate::offers::{Prompt, Resource};
use crate::raw::{self, th_call, th_host, th_migration, th_plugin_def, th_status, th_tool_def};
use crate::{current_tables, guard, Tables};
use std::ffi::CString;
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr::null;
use std::sync::atomic::{AtomicPtr, Ordering};

type Handler = Box<dyn Fn(&Call) -> Result<(), Error> + Send + Sync>;
type LoadHook = Box<dyn Fn(&Host) -> Result<(), Error> + Send + Sync>;

/// Metadata lives as long as the module, which is never unmapped.
pub(crate) fn keep_text(text: &str) -> *const c_char {
    CString::new(text).unwrap_or_else(|_| panic!("{text:?} has a NUL inside, which metadata cannot have")).into_raw()
}

/// A list of pointers, ended by null; null when it is empty.
pub(crate) fn keep_list<T>(mut list: Vec<*const T>) -> *const *const T {
    if list.is_empty() {
        return null();
    }
    list.push(null());
    Box::leak(list.into_boxed_slice()).as_ptr()
}

fn keep_texts(texts: &[String]) -> *const *const c_char {
    keep_list(texts.iter().map(|text| keep_text(text)).collect())
}

const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// A tool, or a job: its name, what it declares and its handler.
pub struct Tool {
    def: th_tool_def,
    handler: Handler,
}

impl Tool {
    /// A tool. `name`: 1 to 64 of A-Z a-z 0-9 _ -, unique in the host. `handler` runs on several threads at a time, for
    /// different calls: keep state in the database, or guard it. `Ok` commits; an `Err` or a panic rolls back.
    pub fn new(name: &str, handler: impl Fn(&Call) -> Result<(), Error> + Send + Sync + 'static) -> Tool {
        let mut def: th_tool_def = unsafe { std::mem::zeroed() };
        def.struct_size = size_of::<th_tool_def>() as u32;
        def.name = keep_text(name);
        def.input_schema = keep_text(NO_ARGUMENTS);
        def.handle = Some(run_tool);
        Tool { def, handler: Box::new(handler) }
    }

    /// Something that the host runs by itself, for each tenant: at least every `interval_ms`; 0: only on request, or
    /// [after writes](Tool::after_writes).
    pub fn job(
        name: &str,
        interval_ms: u32,
        handler: impl Fn(&Call) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Tool {
        let mut tool = Tool::new(name, handler).flag(raw::TH_TOOL_JOB);
        tool.def.interval_ms = interval_ms;
        tool
    }

    fn flag(mut self, flag: u32) -> Tool {
        self.def.flags |= flag;
        self
    }

    /// For people.
    pub fn title(mut self, title: &str) -> Tool {
        self.def.title = keep_text(title);
        self
    }
    /// For the model. A tool without is refused.
    pub fn description(mut self, description: &str) -> Tool {
        self.def.description = keep_text(description);
        self
    }
    /// JSON Schema 2020-12 of the arguments, an object. Without it the tool takes none.
    pub fn input_schema(mut self, schema: &str) -> Tool {
        self.def.input_schema = keep_text(schema);
        self
    }
    /// JSON Schema of the structured content, an object.
    pub fn output_schema(mut self, schema: &str) -> Tool {
        self.def.output_schema = keep_text(schema);
        self
    }
    /// A JSON object, passed through as the tool's _meta.
    pub fn meta(mut self, meta: &str) -> Tool {
        self.def.meta_json = keep_text(meta);
        self
    }
    /// Enforced: the transaction is read-only.
    pub fn read_only(self) -> Tool {
        self.flag(raw::TH_TOOL_READ_ONLY)
    }
    /// May undo or overwrite what others made.
    pub fn destructive(self) -> Tool {
        self.flag(raw::TH_TOOL_DESTRUCTIVE)
    }
    /// The host may run the handler again after a serialization failure.
    pub fn idempotent(self) -> Tool {
        self.flag(raw::TH_TOOL_IDEMPOTENT)
    }
    /// Reaches beyond this host and its database.
    pub fn open_world(self) -> Tool {
        self.flag(raw::TH_TOOL_OPEN_WORLD)
    }
    /// The handler only computes: it runs on the thread that reads the network and has no database.
    pub fn non_blocking(self) -> Tool {
        self.flag(raw::TH_TOOL_NONBLOCKING)
    }
    /// A job: run also soon after something was written for the tenant.
    pub fn after_writes(self) -> Tool {
        self.flag(raw::TH_TOOL_AFTER_WRITES)
    }
    /// One call at a time per instance.
    pub fn serial(self) -> Tool {
        self.flag(raw::TH_TOOL_SERIAL)
    }
    /// So many calls at a time; 0: as many as there are workers.
    pub fn max_concurrency(mut self, calls: u32) -> Tool {
        self.def.max_concurrency = calls;
        self
    }
    /// 0: the host's default.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Tool {
        self.def.timeout_ms = timeout_ms;
        self
    }

    fn keep(mut self) -> *const th_tool_def {
        self.def.user = Box::into_raw(Box::new(self.handler)).cast();
        Box::leak(Box::new(self.def))
    }
}

/// What a plugin declares beside its card. Filled by the function that `plugin!` names.
#[derive(Default)]
pub struct Plugin {
    vendor: Option<String>,
    config_schema: Option<String>,
    tools: Vec<Tool>,
    resources: Vec<Resource>,
    prompts: Vec<Prompt>,
    migrations: Vec<(String, String)>,
    shared_tables: Vec<String>,
    exports: Vec<String>,
    reads: Vec<String>,
    metrics: Vec<KeptMetric>,
    on_create: Option<LoadHook>,
}

impl Plugin {
    pub fn vendor(&mut self, vendor: &str) -> &mut Plugin {
        self.vendor = Some(vendor.into());
        self
    }
    /// JSON Schema of the plugin's settings.
    pub fn config_schema(&mut self, schema: &str) -> &mut Plugin {
        self.config_schema = Some(schema.into());
        self
    }
    pub fn tool(&mut self, tool: Tool) -> &mut Plugin {
        self.tools.push(tool);
        self
    }
    pub fn resource(&mut self, resource: Resource) -> &mut Plugin {
        self.resources.push(resource);
        self
    }
    pub fn prompt(&mut self, prompt: Prompt) -> &mut Plugin {
        self.prompts.push(prompt);
        self
    }
    /// A counter or gauge; declared before `on_create` runs.
    pub fn metric(&mut self, metric: &'static Metric) -> &mut Plugin {
        self.metrics.push(KeptMetric::new(metric));
        self
    }
    /// The next step of the plugin's tables; the first is version 1. One that has run anywhere must not change.
    pub fn migration(&mut self, name: &str, sql: &str) -> &mut Plugin {
        self.migrations.push((name.into(), sql.into()));
        self
    }
    /// A table that all tenants read and only migrations write.
    pub fn shared_table(&mut self, name: &str) -> &mut Plugin {
        self.shared_tables.push(name.into());
        self
    }
    /// A view that other plugins may read.
    pub fn exports(&mut self, view: &str) -> &mut Plugin {
        self.exports.push(view.into());
        self
    }
    /// What the plugin reads of others: "tickets.titles", "?tickets.titles" or "*.documents".
    pub fn reads(&mut self, what: &str) -> &mut Plugin {
        self.reads.push(what.into());
        self
    }
    /// Runs when an instance is made, before its first call. An error refuses the plugin, with its message in the log.
    pub fn on_create(&mut self, hook: impl Fn(&Host) -> Result<(), Error> + Send + Sync + 'static) -> &mut Plugin {
        self.on_create = Some(Box::new(hook));
        self
    }

    pub(crate) fn keep(self, id: &str, name: &str, version: &str, services: &[&str]) -> *const th_plugin_def {
        let mut def: th_plugin_def = unsafe { std::mem::zeroed() };
        def.struct_size = size_of::<th_plugin_def>() as u32;
        def.abi_minor = crate::ABI_MINOR;
        def.abi_minor_required = crate::ABI_MINOR_REQUIRED;
        def.id = keep_text(id);
        def.name = keep_text(name);
        def.version = keep_text(version);
        def.vendor = self.vendor.as_deref().map_or(null(), keep_text);
        def.config_schema = self.config_schema.as_deref().map_or(null(), keep_text);
        def.services = keep_list(services.iter().map(|id| keep_text(id)).collect());
        def.tools = keep_list(self.tools.into_iter().map(Tool::keep).collect());
        def.resources = keep_list(self.resources.into_iter().map(Resource::keep).collect());
        def.prompts = keep_list(self.prompts.into_iter().map(Prompt::keep).collect());
        let migration = |(index, (name, sql)): (usize, (String, String))| -> *const th_migration {
            Box::leak(Box::new(th_migration {
                struct_size: size_of::<th_migration>() as u32,
                version: index as u32 + 1,
                name: keep_text(&name),
                sql: keep_text(&sql),
            }))
        };
        def.migrations = keep_list(self.migrations.into_iter().enumerate().map(migration).collect());
        def.shared_tables = keep_texts(&self.shared_tables);
        def.exports = keep_texts(&self.exports);
        def.reads = keep_texts(&self.reads);
        def.create = Some(create);
        def.destroy = Some(destroy);
        let at_create = AtCreate { metrics: self.metrics, hook: self.on_create };
        AT_CREATE.store(Box::into_raw(Box::new(at_create)), Ordering::Release);
        Box::leak(Box::new(def))
    }
}

/// What is done for each instance.
struct AtCreate {
    metrics: Vec<KeptMetric>,
    hook: Option<LoadHook>,
}
static AT_CREATE: AtomicPtr<AtCreate> = AtomicPtr::new(std::ptr::null_mut());

/// One plugin in service. What the host passes to handlers points at it.
struct Instance {
    host: *mut th_host,
}

unsafe extern "C" fn create(host: *mut th_host, out: *mut *mut c_void) -> th_status {
    let tables = current_tables();
    guard(tables, host, std::ptr::null_mut(), || {
        let handle = Host { raw: host, tables };
        let at_create = unsafe { &*AT_CREATE.load(Ordering::Acquire) };
        at_create.metrics.iter().try_for_each(|metric| metric.define(&handle))?;
        if let Some(hook) = &at_create.hook {
            hook(&handle)?;
        }
        unsafe { *out = Box::into_raw(Box::new(Instance { host })).cast() };
        Ok(())
    })
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
    drop(unsafe { Box::from_raw(instance.cast::<Instance>()) });
}

/// `instance` must be one that `create` made.
pub(crate) unsafe fn host_of(instance: *mut c_void) -> *mut th_host {
    unsafe { (*instance.cast::<Instance>()).host }
}

unsafe extern "C" fn run_tool(instance: *mut c_void, user: *mut c_void, call: *mut th_call) -> th_status {
    let host = unsafe { host_of(instance) };
    let tables = current_tables();
    guard(tables, host, call, || {
        let handler = unsafe { &*user.cast::<Handler>() };
        handler(&Call { raw: call, host: Host { raw: host, tables }, tables })
    })
}

/// What the host is answered for an error, and what its log is told.
pub(crate) fn status_of(tables: &'static Tables, host: *mut th_host, call: *mut th_call, error: &Error) -> th_status {
    let status = error.status();
    let log =
        |text: &str| unsafe { function!((*tables.core).log)(host, call, Level::Error as i32, to_th(text), null(), 0) };
    if let Some(sqlstate) = error.sqlstate() {
        // The client gets the host's text for the status; what the database said is for the log.
        if !matches!(status, raw::TH_E_RETRY | raw::TH_E_CANCELLED | raw::TH_E_TIMEOUT) {
            log(&format!("{sqlstate} {} {}", error.message(), error.sql_detail().unwrap_or_default()));
        }
        return status;
    }
    if call.is_null() {
        log(error.message());
        return status;
    }
    if matches!(status, raw::TH_E_RETRY | raw::TH_E_ASKED) {
        return status;
    }
    unsafe { function!((*tables.call).fail)(call, status, to_th(error.message())) }
}
