use crate::call::{to_th, Call};
use crate::error::Error;

/// Writes the members of an object of the structured content.
pub struct Object<'call> {
    call: &'call Call,
}

/// Writes the elements of an array of the structured content.
pub struct Array<'call> {
    call: &'call Call,
}

pub(crate) fn write_object(call: &Call, write: impl FnOnce(&mut Object) -> Result<(), Error>) -> Result<(), Error> {
    call.check(unsafe { function!((*call.tables.json).begin_object)(call.raw) })?;
    write(&mut Object { call })?;
    call.check(unsafe { function!((*call.tables.json).end)(call.raw) })
}

fn write_array(call: &Call, write: impl FnOnce(&mut Array) -> Result<(), Error>) -> Result<(), Error> {
    call.check(unsafe { function!((*call.tables.json).begin_array)(call.raw) })?;
    write(&mut Array { call })?;
    call.check(unsafe { function!((*call.tables.json).end)(call.raw) })
}

impl Object<'_> {
    fn key(&mut self, name: &str) -> Result<(), Error> {
        self.call.check(unsafe { function!((*self.call.tables.json).key)(self.call.raw, to_th(name)) })
    }
    fn element(&mut self, name: &str) -> Result<Array<'_>, Error> {
        self.key(name)?;
        Ok(Array { call: self.call })
    }

    pub fn str(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.element(name)?.str(value)
    }
    pub fn i64(&mut self, name: &str, value: i64) -> Result<(), Error> {
        self.element(name)?.i64(value)
    }
    /// A number that is not finite is `TH_E_INVALID`.
    pub fn f64(&mut self, name: &str, value: f64) -> Result<(), Error> {
        self.element(name)?.f64(value)
    }
    pub fn bool(&mut self, name: &str, value: bool) -> Result<(), Error> {
        self.element(name)?.bool(value)
    }
    pub fn null(&mut self, name: &str) -> Result<(), Error> {
        self.element(name)?.null()
    }
    pub fn object(&mut self, name: &str, write: impl FnOnce(&mut Object) -> Result<(), Error>) -> Result<(), Error> {
        self.key(name)?;
        write_object(self.call, write)
    }
    pub fn array(&mut self, name: &str, write: impl FnOnce(&mut Array) -> Result<(), Error>) -> Result<(), Error> {
        self.key(name)?;
        write_array(self.call, write)
    }
}

impl Array<'_> {
    pub fn str(&mut self, value: &str) -> Result<(), Error> {
        self.call.check(unsafe { function!((*self.call.tables.json).str)(self.call.raw, to_th(value)) })
    }
    pub fn i64(&mut self, value: i64) -> Result<(), Error> {
        self.call.check(unsafe { function!((*self.call.tables.json).i64)(self.call.raw, value) })
    }
    /// A number that is not finite is `TH_E_INVALID`.
    pub fn f64(&mut self, value: f64) -> Result<(), Error> {
        self.call.check(unsafe { function!((*self.call.tables.json).f64)(self.call.raw, value) })
    }
    pub fn bool(&mut self, value: bool) -> Result<(), Error> {
        self.call.check(unsafe { function!((*self.call.tables.json).boolean)(self.call.raw, value.into()) })
    }
    pub fn null(&mut self) -> Result<(), Error> {
        self.call.check(unsafe { function!((*self.call.tables.json).null)(self.call.raw) })
    }
    pub fn object(&mut self, write: impl FnOnce(&mut Object) -> Result<(), Error>) -> Result<(), Error> {
        write_object(self.call, write)
    }
    pub fn array(&mut self, write: impl FnOnce(&mut Array) -> Result<(), Error>) -> Result<(), Error> {
        write_array(self.call, write)
    }
}
