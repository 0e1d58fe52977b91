use crate::call::Call;
use crate::error::Error;
use crate::raw::{self, th_rows, th_str, th_value, th_value_union};

/// An SQL parameter, or a column of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    I64(i64),
    F64(f64),
    /// As a parameter it takes the type that the statement gives $n.
    Text(String),
    /// bytea
    Bytes(Vec<u8>),
    /// JSON text
    Json(String),
    Uuid([u8; 16]),
    /// Microseconds since 1970-01-01T00:00Z.
    Time(i64),
    /// Decimal text, never rounded.
    Numeric(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::I64(number)
    }
}
impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::I64(number.into())
    }
}
impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::F64(number)
    }
}
impl From<bool> for Value {
    fn from(is: bool) -> Value {
        Value::Bool(is)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(maybe: Option<T>) -> Value {
        maybe.map_or(Value::Null, Into::into)
    }
}

fn number(type_: u32, i64: i64) -> th_value {
    th_value { type_, reserved: 0, u: th_value_union { i64 } }
}

fn bytes(type_: u32, bytes: &[u8]) -> th_value {
    th_value { type_, reserved: 0, u: th_value_union { s: th_str { ptr: bytes.as_ptr().cast(), len: bytes.len() } } }
}

impl Value {
    /// Borrows from `self`.
    pub(crate) fn to_raw(&self) -> th_value {
        match self {
            Value::Null => number(raw::TH_V_NULL, 0),
            Value::Bool(is) => number(raw::TH_V_BOOL, (*is).into()),
            Value::I64(value) => number(raw::TH_V_I64, *value),
            Value::F64(f64) => th_value { type_: raw::TH_V_F64, reserved: 0, u: th_value_union { f64: *f64 } },
            Value::Text(text) => bytes(raw::TH_V_TEXT, text.as_bytes()),
            Value::Bytes(raw_bytes) => bytes(raw::TH_V_BYTES, raw_bytes),
            Value::Json(text) => bytes(raw::TH_V_JSON, text.as_bytes()),
            Value::Uuid(uuid) => bytes(raw::TH_V_UUID, uuid),
            Value::Time(us) => number(raw::TH_V_TIME, *us),
            Value::Numeric(text) => bytes(raw::TH_V_NUMERIC, text.as_bytes()),
        }
    }

    /// Copies. `value` must be one that the host has lent.
    pub(crate) unsafe fn from_raw(value: &th_value) -> Result<Value, Error> {
        let text = || unsafe { crate::call::text_of(value.u.s) }.map(String::from);
        unsafe {
            Ok(match value.type_ {
                raw::TH_V_NULL => Value::Null,
                raw::TH_V_BOOL => Value::Bool(value.u.i64 != 0),
                raw::TH_V_I64 => Value::I64(value.u.i64),
                raw::TH_V_F64 => Value::F64(value.u.f64),
                raw::TH_V_TEXT => Value::Text(text()?),
                raw::TH_V_BYTES => Value::Bytes(crate::call::bytes_of(value.u.s).to_vec()),
                raw::TH_V_JSON => Value::Json(text()?),
                raw::TH_V_UUID => match crate::call::bytes_of(value.u.s).try_into() {
                    Ok(uuid) => Value::Uuid(uuid),
                    Err(_) => return Err(Error::internal("the host gave a UUID that has not 16 bytes")),
                },
                raw::TH_V_TIME => Value::Time(value.u.i64),
                raw::TH_V_NUMERIC => Value::Numeric(text()?),
                other => return Err(Error::internal(format!("the host gave a value of the unknown kind {other}"))),
            })
        }
    }
}

/// One row, copied. Columns count from 0; reading one as what it is not is an internal error.
#[derive(Debug, Clone)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    pub fn value(&self, column: usize) -> Result<&Value, Error> {
        self.values.get(column).ok_or_else(|| Error::internal(format!("the row has no column {column}")))
    }

    pub fn is_null(&self, column: usize) -> Result<bool, Error> {
        Ok(*self.value(column)? == Value::Null)
    }

    /// Text, numeric and JSON columns.
    pub fn str(&self, column: usize) -> Result<&str, Error> {
        match self.value(column)? {
            Value::Text(text) | Value::Numeric(text) | Value::Json(text) => Ok(text),
            other => Err(wrong(column, other, "text")),
        }
    }

    pub fn i64(&self, column: usize) -> Result<i64, Error> {
        match self.value(column)? {
            Value::I64(number) => Ok(*number),
            other => Err(wrong(column, other, "an integer")),
        }
    }

    pub fn f64(&self, column: usize) -> Result<f64, Error> {
        match self.value(column)? {
            Value::F64(number) => Ok(*number),
            Value::I64(number) => Ok(*number as f64),
            other => Err(wrong(column, other, "a number")),
        }
    }

    pub fn bool(&self, column: usize) -> Result<bool, Error> {
        match self.value(column)? {
            Value::Bool(is) => Ok(*is),
            other => Err(wrong(column, other, "a boolean")),
        }
    }

    /// Microseconds since 1970-01-01T00:00Z.
    pub fn time_us(&self, column: usize) -> Result<i64, Error> {
        match self.value(column)? {
            Value::Time(us) => Ok(*us),
            other => Err(wrong(column, other, "a timestamp")),
        }
    }
}

fn wrong(column: usize, found: &Value, wanted: &str) -> Error {
    Error::internal(format!("column {column} is {found:?}, not {wanted}"))
}

/// The rows of one query, in order. The next statement of the call ends them.
pub struct Rows<'call> {
    call: &'call Call,
    rows: *mut th_rows,
    columns: usize,
}

impl<'call> Rows<'call> {
    pub(crate) fn new(call: &'call Call, rows: *mut th_rows) -> Rows<'call> {
        let columns = unsafe { function!((*call.tables.db).columns)(rows) };
        Rows { call, rows, columns }
    }

    /// The next row, or `None` when none is left.
    pub fn next_row(&mut self) -> Result<Option<Row>, Error> {
        let mut row: *const th_value = std::ptr::null();
        let status = unsafe { function!((*self.call.tables.db).next)(self.rows, &mut row) };
        if status == raw::TH_END {
            return Ok(None);
        }
        self.call.check_sql(status)?;
        let lent = if self.columns == 0 { &[] } else { unsafe { std::slice::from_raw_parts(row, self.columns) } };
        let values = lent.iter().map(|value| unsafe { Value::from_raw(value) }).collect::<Result<_, _>>()?;
        Ok(Some(Row { values }))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Error>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if let Some(close) = unsafe { (*self.call.tables.db).close } {
            unsafe { close(self.rows) }
        }
    }
}

/// What was done since it was set can be undone. Dropped without `release`, it is.
pub struct Savepoint<'call> {
    call: &'call Call,
    is_open: bool,
}

impl<'call> Savepoint<'call> {
    pub(crate) fn new(call: &'call Call) -> Savepoint<'call> {
        Savepoint { call, is_open: true }
    }

    /// Keeps what was done.
    pub fn release(mut self) -> Result<(), Error> {
        self.end(raw::TH_SAVEPOINT_RELEASE)
    }

    /// Undoes it now.
    pub fn rollback(mut self) -> Result<(), Error> {
        self.end(raw::TH_SAVEPOINT_ROLLBACK)
    }

    fn end(&mut self, operation: i32) -> Result<(), Error> {
        self.is_open = false;
        self.call.check_sql(unsafe { function!((*self.call.tables.db).savepoint)(self.call.raw, operation) })
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.is_open {
            let _ = self.end(raw::TH_SAVEPOINT_ROLLBACK);
        }
    }
}
