use crate::error::Error;
use crate::json::{self, Object};
use crate::offers::content_of;
use crate::raw::{self, th_call, th_host, th_status, th_str};
use crate::sql::{Rows, Savepoint, Value};
use crate::Tables;
use std::mem::size_of;

pub(crate) fn to_th(text: &str) -> th_str {
    bytes_to_th(text.as_bytes())
}

pub(crate) fn bytes_to_th(bytes: &[u8]) -> th_str {
    th_str { ptr: bytes.as_ptr().cast(), len: bytes.len() }
}

const NO_STR: th_str = th_str { ptr: std::ptr::null(), len: 0 };

/// `text` must be lent by the host for as long as the result is used.
pub(crate) unsafe fn bytes_of<'a>(text: th_str) -> &'a [u8] {
    if text.len == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(text.ptr.cast(), text.len) }
}

/// As `bytes_of`.
pub(crate) unsafe fn text_of<'a>(text: th_str) -> Result<&'a str, Error> {
    std::str::from_utf8(unsafe { bytes_of(text) }).map_err(|_| Error::internal("the host gave text that is not UTF-8"))
}

/// How much a record of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Trace = raw::TH_LOG_TRACE as isize,
    Debug = raw::TH_LOG_DEBUG as isize,
    Info = raw::TH_LOG_INFO as isize,
    Warn = raw::TH_LOG_WARN as isize,
    Error = raw::TH_LOG_ERROR as isize,
    Critical = raw::TH_LOG_CRITICAL as isize,
}

/// A member of the caller's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub email: String,
    /// For people; may be empty.
    pub name: String,
    /// "viewer", "agent" or "admin".
    pub role: String,
}

/// A view of another plugin that this one may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadableView {
    pub plugin: String,
    /// As SQL writes it, quotes included.
    pub sql_name: String,
}

/// The host of this instance.
pub struct Host {
    pub(crate) raw: *mut th_host,
    pub(crate) tables: &'static Tables,
}

impl Host {
    /// Writes a record to the host's log.
    pub fn log(&self, level: Level, message: &str, pairs: &[(&str, &str)]) {
        self.write_log(std::ptr::null_mut(), level, message, pairs);
    }

    /// Whether records of this level are written: ask before formatting.
    pub fn log_enabled(&self, level: Level) -> bool {
        unsafe { function!((*self.tables.core).log_enabled)(self.raw, level as i32) != 0 }
    }

    /// Wall clock: microseconds since 1970-01-01T00:00Z.
    pub fn now_us(&self) -> i64 {
        unsafe { function!((*self.tables.core).now_us)(self.raw) }
    }

    /// A new UUID, version 7: later ones sort after earlier ones.
    pub fn new_uuid(&self) -> [u8; 16] {
        unsafe { function!((*self.tables.core).new_uuid)(self.raw) }.b
    }

    /// A setting of the plugin itself, text, by JSON Pointer; `None` when it is not set.
    pub fn config_str(&self, pointer: &str) -> Result<Option<String>, Error> {
        self.read_config_str(std::ptr::null_mut(), pointer)
    }

    /// What [`crate::Plugin::reads`] was granted. Nothing in the plugin's own definition, but from `on_create` on.
    pub fn readable_views(&self) -> Result<Vec<ReadableView>, Error> {
        let table = needed(self.tables.reads, raw::TH_SVC_READS)?;
        let mut views = Vec::new();
        loop {
            let (mut plugin, mut sql_name) = (NO_STR, NO_STR);
            match unsafe { function!((*table).view)(self.raw, views.len(), &mut plugin, &mut sql_name) } {
                raw::TH_OK => views.push(ReadableView {
                    plugin: unsafe { text_of(plugin) }?.into(),
                    sql_name: unsafe { text_of(sql_name) }?.into(),
                }),
                raw::TH_E_NOT_FOUND => return Ok(views),
                status => return Err(Error::internal(format!("readable views cannot be asked for ({status})"))),
            }
        }
    }

    /// These lists (`raw::TH_LIST_*`) should be fetched again by clients.
    pub fn changed(&self, lists: u32) -> Result<(), Error> {
        let table = needed(self.tables.catalog, raw::TH_SVC_CATALOG)?;
        match unsafe { function!((*table).changed)(self.raw, lists) } {
            raw::TH_OK => Ok(()),
            status => Err(Error::new(status, "the change of lists was not taken")),
        }
    }

    fn read_config_str(&self, call: *mut th_call, pointer: &str) -> Result<Option<String>, Error> {
        let mut out = NO_STR;
        let status = unsafe { function!((*self.tables.config).str)(self.raw, call, to_th(pointer), &mut out) };
        setting(status, pointer, || Ok(unsafe { text_of(out) }?.to_string()))
    }

    fn write_log(&self, call: *mut th_call, level: Level, message: &str, pairs: &[(&str, &str)]) {
        let flat: Vec<th_str> = pairs.iter().flat_map(|(key, value)| [to_th(key), to_th(value)]).collect();
        unsafe {
            function!((*self.tables.core).log)(self.raw, call, level as i32, to_th(message), flat.as_ptr(), pairs.len())
        }
    }
}

/// A table that not every host has.
pub(crate) fn needed<T>(table: *const T, id: &str) -> Result<*const T, Error> {
    if table.is_null() {
        return Err(Error::new(raw::TH_E_UNSUPPORTED, format!("this host does not have {id}")));
    }
    Ok(table)
}

fn setting<T>(status: th_status, pointer: &str, value: impl FnOnce() -> Result<T, Error>) -> Result<Option<T>, Error> {
    match status {
        raw::TH_OK => value().map(Some),
        raw::TH_E_NOT_FOUND => Ok(None),
        status => Err(Error::internal(format!("the setting {pointer} cannot be read that way (status {status})"))),
    }
}

/// What the host knows of a call.
#[derive(Debug, Clone)]
pub struct Info {
    /// For display only: the host scopes every statement to the tenant by itself.
    pub tenant: String,
    /// Who calls: an e-mail address, or the key's name.
    pub principal: String,
    /// "viewer", "agent" or "admin".
    pub role: String,
    pub tool: String,
    pub request_id: String,
    /// Empty when the caller sent none.
    pub idempotency_key: String,
    /// The tenant's IANA zone.
    pub time_zone: String,
    /// Wall clock; 0: none.
    pub deadline_us: i64,
    /// 0 the first time; n when the host runs the handler again.
    pub attempt: u32,
}

/// One call of a tool: its arguments, its result, its transaction. It stays on the thread of its handler.
pub struct Call {
    pub(crate) raw: *mut th_call,
    pub(crate) host: Host,
    pub(crate) tables: &'static Tables,
}

impl Call {
    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn info(&self) -> Result<Info, Error> {
        let mut info: raw::th_call_info = unsafe { std::mem::zeroed() };
        info.struct_size = size_of::<raw::th_call_info>() as u32;
        self.check(unsafe { function!((*self.tables.call).info)(self.raw, &mut info) })?;
        let text = |text: th_str| unsafe { text_of(text) }.map(String::from);
        Ok(Info {
            tenant: text(info.tenant)?,
            principal: text(info.principal)?,
            role: text(info.role)?,
            tool: text(info.tool)?,
            request_id: text(info.request_id)?,
            idempotency_key: text(info.idempotency_key)?,
            time_zone: text(info.time_zone)?,
            deadline_us: info.deadline_us,
            attempt: info.attempt,
        })
    }

    /// Writes a record to the host's log, with the tenant, tool and request of this call.
    pub fn log(&self, level: Level, message: &str, pairs: &[(&str, &str)]) {
        self.host.write_log(self.raw, level, message, pairs);
    }

    /// Whether nobody waits any more, or the deadline has passed. Cheap: ask in long loops.
    pub fn cancelled(&self) -> bool {
        unsafe { function!((*self.tables.call).cancelled)(self.raw) != 0 }
    }

    // ---- Arguments, by JSON Pointer: "/name", "/tags/0", "" for all of them ----

    /// All of them, as JSON text that conforms to the input schema.
    pub fn args_json(&self) -> Result<&str, Error> {
        unsafe { text_of(function!((*self.tables.call).args_json)(self.raw)) }
    }

    /// `raw::TH_J_*`: what kind of value is there; `TH_J_ABSENT` when none is.
    pub fn kind(&self, pointer: &str) -> i32 {
        unsafe { function!((*self.tables.args).kind)(self.raw, to_th(pointer)) }
    }

    /// Whether something other than null is there.
    pub fn has(&self, pointer: &str) -> bool {
        !matches!(self.kind(pointer), raw::TH_J_ABSENT | raw::TH_J_NULL)
    }

    /// A string. Not there, or of another kind: an error; see [`Call::opt_str`].
    pub fn str(&self, pointer: &str) -> Result<&str, Error> {
        let mut out = NO_STR;
        let status = unsafe { function!((*self.tables.args).str)(self.raw, to_th(pointer), &mut out) };
        self.argument(status, pointer)?;
        unsafe { text_of(out) }
    }

    /// A number without fraction.
    pub fn i64(&self, pointer: &str) -> Result<i64, Error> {
        let mut out = 0;
        let status = unsafe { function!((*self.tables.args).i64)(self.raw, to_th(pointer), &mut out) };
        self.argument(status, pointer).map(|_| out)
    }

    /// Any number.
    pub fn f64(&self, pointer: &str) -> Result<f64, Error> {
        let mut out = 0.0;
        let status = unsafe { function!((*self.tables.args).f64)(self.raw, to_th(pointer), &mut out) };
        self.argument(status, pointer).map(|_| out)
    }

    pub fn bool(&self, pointer: &str) -> Result<bool, Error> {
        let mut out = 0;
        let status = unsafe { function!((*self.tables.args).boolean)(self.raw, to_th(pointer), &mut out) };
        self.argument(status, pointer).map(|_| out != 0)
    }

    /// `None` when it is absent or null.
    pub fn opt_str(&self, pointer: &str) -> Result<Option<&str>, Error> {
        self.has(pointer).then(|| self.str(pointer)).transpose()
    }
    /// `None` when it is absent or null.
    pub fn opt_i64(&self, pointer: &str) -> Result<Option<i64>, Error> {
        self.has(pointer).then(|| self.i64(pointer)).transpose()
    }
    /// `None` when it is absent or null.
    pub fn opt_f64(&self, pointer: &str) -> Result<Option<f64>, Error> {
        self.has(pointer).then(|| self.f64(pointer)).transpose()
    }
    /// `None` when it is absent or null.
    pub fn opt_bool(&self, pointer: &str) -> Result<Option<bool>, Error> {
        self.has(pointer).then(|| self.bool(pointer)).transpose()
    }

    /// How many elements an array or members an object has.
    pub fn size(&self, pointer: &str) -> Result<usize, Error> {
        let mut out = 0;
        let status = unsafe { function!((*self.tables.args).size)(self.raw, to_th(pointer), &mut out) };
        self.argument(status, pointer).map(|_| out)
    }

    /// Name of the member at `index` of an object.
    pub fn key(&self, pointer: &str, index: usize) -> Result<&str, Error> {
        let mut out = NO_STR;
        let status = unsafe { function!((*self.tables.args).key)(self.raw, to_th(pointer), index, &mut out) };
        self.argument(status, pointer)?;
        unsafe { text_of(out) }
    }

    // ---- Result ----

    /// Appends a text block.
    pub fn text(&self, text: &str) -> Result<(), Error> {
        self.check(unsafe { function!((*self.tables.call).text)(self.raw, to_th(text)) })
    }

    /// Sets the structured content to this JSON object.
    pub fn structured(&self, json: &str) -> Result<(), Error> {
        self.check(unsafe { function!((*self.tables.call).structured)(self.raw, to_th(json)) })
    }

    /// Writes the structured content, an object, piece by piece: `call.json(|out| out.str("name", name))`.
    pub fn json(&self, write: impl FnOnce(&mut Object) -> Result<(), Error>) -> Result<(), Error> {
        json::write_object(self, write)
    }

    /// Appends an image, given as raw bytes. `TH_E_UNSUPPORTED` on a host of minor 0.
    pub fn image(&self, bytes: &[u8], mime_type: &str) -> Result<(), Error> {
        let mut content = content_of(raw::TH_C_IMAGE);
        content.bytes = bytes_to_th(bytes);
        content.mime_type = to_th(mime_type);
        self.push_content(&content)
    }

    /// Appends a link to a resource. `TH_E_UNSUPPORTED` on a host of minor 0.
    pub fn link(&self, uri: &str, name: &str) -> Result<(), Error> {
        let mut content = content_of(raw::TH_C_LINK);
        content.uri = to_th(uri);
        content.name = to_th(name);
        self.push_content(&content)
    }

    pub(crate) fn push_content(&self, content: &raw::th_content) -> Result<(), Error> {
        self.check_reach(unsafe { std::ptr::addr_of!((*self.tables.call).content) } as usize)?;
        self.check(unsafe { function!((*self.tables.call).content)(self.raw, content) })
    }

    /// Tells the client how far the call is: `done` of `total` (0: not known). `TH_E_UNSUPPORTED` on a host of minor 0.
    pub fn progress(&self, done: f64, total: f64, message: &str) -> Result<(), Error> {
        self.check_reach(unsafe { std::ptr::addr_of!((*self.tables.call).progress) } as usize)?;
        self.check(unsafe { function!((*self.tables.call).progress)(self.raw, done, total, to_th(message)) })
    }

    /// The resource has changed, for the tenant of this call, once the call has succeeded.
    pub fn updated(&self, uri: &str) -> Result<(), Error> {
        let table = needed(self.tables.catalog, raw::TH_SVC_CATALOG)?;
        self.check(unsafe { function!((*table).updated_for)(self.raw, to_th(uri)) })
    }

    // ---- Asking the client: ABI.md says how ----

    /// Whether the client can be asked this: `raw::TH_ASK_*`.
    pub fn can(&self, kind: u32) -> bool {
        match needed(self.tables.client, raw::TH_SVC_CLIENT) {
            Ok(table) => unsafe { function!((*table).can)(self.raw, kind) != 0 },
            Err(_) => false,
        }
    }

    /// Asks the client: `params` as MCP has them; the answer is its result, JSON. Without an answer yet this is an error
    /// that `?` must hand on: the handler runs again from its top with the answer. So put what must happen once behind
    /// the last question. `key`: a-z 0-9 _, the same in every run.
    pub fn ask(&self, kind: u32, key: &str, params: &str) -> Result<String, Error> {
        let table = needed(self.tables.client, raw::TH_SVC_CLIENT)?;
        let mut answer = NO_STR;
        match unsafe { function!((*table).ask)(self.raw, kind, to_th(key), to_th(params), &mut answer) } {
            raw::TH_E_ASKED => Err(Error::new(raw::TH_E_ASKED, "the client is being asked")),
            status => self.check(status).and_then(|_| unsafe { text_of(answer) }).map(String::from),
        }
    }

    // ---- People ----

    /// The members of the tenant whom `text` names, by address or name, sorted by name; all of them for an empty one.
    pub fn people(&self, text: &str) -> Result<Vec<Person>, Error> {
        let table = needed(self.tables.people, raw::TH_SVC_PEOPLE)?;
        let mut lent: Vec<raw::th_person> = Vec::new();
        let mut found = 16;
        while found > lent.len() {
            lent.resize(found, raw::th_person { email: NO_STR, name: NO_STR, role: NO_STR });
            let room = lent.len();
            let find = unsafe { function!((*table).find) };
            self.check(unsafe { find(self.raw, to_th(text), lent.as_mut_ptr(), room, &mut found) })?;
        }
        let text = |text: th_str| unsafe { text_of(text) }.map(String::from);
        lent[..found]
            .iter()
            .map(|person| Ok(Person { email: text(person.email)?, name: text(person.name)?, role: text(person.role)? }))
            .collect()
    }

    /// Whether the host's table of calls is long enough to hold the function at this address.
    fn check_reach(&self, function: usize) -> Result<(), Error> {
        let reach = function + size_of::<usize>() - self.tables.call as usize;
        if (unsafe { (*self.tables.call).struct_size } as usize) < reach {
            return Err(Error::new(raw::TH_E_UNSUPPORTED, "this host has plugin ABI 1.0, which cannot do that"));
        }
        Ok(())
    }

    // ---- Database: one transaction per call, one tenant's rows; parameters are $1, $2 ... ----

    /// Runs a statement: the number of rows inserted, updated or deleted.
    pub fn exec(&self, sql: &str, parameters: &[Value]) -> Result<i64, Error> {
        self.run_exec(sql, parameters, 0)
    }

    /// The same, for the last statement of the call: it commits in the same round trip.
    pub fn exec_last(&self, sql: &str, parameters: &[Value]) -> Result<i64, Error> {
        self.run_exec(sql, parameters, raw::TH_DB_LAST)
    }

    /// Runs a query; the call's next statement ends its rows.
    pub fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows<'_>, Error> {
        let values: Vec<_> = parameters.iter().map(Value::to_raw).collect();
        let mut rows = std::ptr::null_mut();
        let status = unsafe {
            function!((*self.tables.db).query)(self.raw, to_th(sql), values.as_ptr(), values.len(), 0, &mut rows)
        };
        self.check_sql(status)?;
        Ok(Rows::new(self, rows))
    }

    /// Sets a savepoint, to survive a statement that may fail.
    pub fn savepoint(&self) -> Result<Savepoint<'_>, Error> {
        self.check_sql(unsafe { function!((*self.tables.db).savepoint)(self.raw, raw::TH_SAVEPOINT_SET) })?;
        Ok(Savepoint::new(self))
    }

    fn run_exec(&self, sql: &str, parameters: &[Value], flags: u32) -> Result<i64, Error> {
        let values: Vec<_> = parameters.iter().map(Value::to_raw).collect();
        let mut affected = 0;
        let status = unsafe {
            function!((*self.tables.db).exec)(self.raw, to_th(sql), values.as_ptr(), values.len(), flags, &mut affected)
        };
        self.check_sql(status).map(|_| affected)
    }

    // ---- Settings and tokens ----

    /// A setting in force for the call's tenant, by JSON Pointer; `None` when it is not set.
    pub fn config_str(&self, pointer: &str) -> Result<Option<String>, Error> {
        self.host.read_config_str(self.raw, pointer)
    }

    /// As [`Call::config_str`].
    pub fn config_i64(&self, pointer: &str) -> Result<Option<i64>, Error> {
        let mut out = 0;
        let status = unsafe { function!((*self.tables.config).i64)(self.host.raw, self.raw, to_th(pointer), &mut out) };
        setting(status, pointer, || Ok(out))
    }

    /// As [`Call::config_str`]: anything, as JSON text.
    pub fn config_json(&self, pointer: &str) -> Result<Option<String>, Error> {
        let mut out = NO_STR;
        let status =
            unsafe { function!((*self.tables.config).json)(self.host.raw, self.raw, to_th(pointer), &mut out) };
        setting(status, pointer, || Ok(unsafe { text_of(out) }?.to_string()))
    }

    /// A secret that the configuration grants the plugin by this name. The host wipes it when the handler has returned, so
    /// keep no copy. `TH_E_DENIED` when it is not granted.
    pub fn secret(&self, name: &str) -> Result<&str, Error> {
        let table = needed(self.tables.secrets, raw::TH_SVC_SECRETS)?;
        let mut out = NO_STR;
        self.check(unsafe { function!((*table).get)(self.raw, to_th(name), &mut out) })?;
        unsafe { text_of(out) }
    }

    /// A token that a client carries and cannot change, such as a cursor. It can be read by whoever holds it.
    pub fn seal(&self, data: &[u8]) -> Result<String, Error> {
        let mut token = NO_STR;
        self.check(unsafe { function!((*self.tables.token).seal)(self.raw, bytes_to_th(data), &mut token) })?;
        unsafe { text_of(token) }.map(String::from)
    }

    /// What [`Call::seal`] was given, by this plugin for this tenant; any other token is `TH_E_INVALID`.
    pub fn open(&self, token: &str) -> Result<Vec<u8>, Error> {
        let mut data = NO_STR;
        self.check(unsafe { function!((*self.tables.token).open)(self.raw, to_th(token), &mut data) })?;
        Ok(unsafe { bytes_of(data) }.to_vec())
    }

    // ---- What went wrong ----

    fn argument(&self, status: th_status, pointer: &str) -> Result<(), Error> {
        match status {
            raw::TH_OK => Ok(()),
            raw::TH_E_NOT_FOUND => Err(Error::internal(format!("there is no argument {pointer}"))),
            raw::TH_E_INVALID => Err(Error::internal(format!("the argument {pointer} is of another kind"))),
            status => self.check(status),
        }
    }

    fn last_error(&self) -> raw::th_error {
        let mut error: raw::th_error = unsafe { std::mem::zeroed() };
        error.struct_size = size_of::<raw::th_error>() as u32;
        unsafe { function!((*self.tables.call).last_error)(self.raw, &mut error) };
        error
    }

    pub(crate) fn check(&self, status: th_status) -> Result<(), Error> {
        if status == raw::TH_OK {
            return Ok(());
        }
        Err(Error::new(status, unsafe { text_of(self.last_error().message) }?))
    }

    pub(crate) fn check_sql(&self, status: th_status) -> Result<(), Error> {
        if status == raw::TH_OK {
            return Ok(());
        }
        let error = self.last_error();
        let text = |text: th_str| unsafe { text_of(text) }.map(String::from);
        Err(Error::of_statement(status, text(error.message)?, text(error.code)?, text(error.detail)?))
    }
}
