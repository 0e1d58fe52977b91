use crate::raw::{self, th_status};

/// Ends a call with a status and a sentence for the client.
///
/// The sentence reaches the model as written, so say what is wrong and what to do; with [`Error::internal`] it goes to
/// the host's log only. What a service function answers when it fails is an `Error` too, so `?` hands it on.
#[derive(Debug, Clone)]
pub struct Error {
    status: th_status,
    message: String,
    /// Of a statement that failed: SQLSTATE, and what the database said.
    sql: Option<(String, String)>,
}

impl Error {
    /// `status`: one of `raw::TH_E_*`; anything else counts as `TH_E_INTERNAL`.
    pub fn new(status: th_status, message: impl Into<String>) -> Error {
        let status = if status < 0 { status } else { raw::TH_E_INTERNAL };
        Error { status, message: message.into(), sql: None }
    }

    pub(crate) fn of_statement(status: th_status, message: String, sqlstate: String, detail: String) -> Error {
        Error { sql: Some((sqlstate, detail)), ..Error::new(status, message) }
    }

    /// A value that is wrong in a way no schema could express.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(raw::TH_E_INVALID, message)
    }

    /// No such thing, or none that the caller may know of.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(raw::TH_E_NOT_FOUND, message)
    }

    /// It is there already, or has changed meanwhile.
    pub fn conflict(message: impl Into<String>) -> Error {
        Error::new(raw::TH_E_CONFLICT, message)
    }

    /// Not allowed.
    pub fn denied(message: impl Into<String>) -> Error {
        Error::new(raw::TH_E_DENIED, message)
    }

    /// Something needed is down; the caller may try again later.
    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(raw::TH_E_UNAVAILABLE, message)
    }

    /// A mistake of the plugin: the client sees a number under which the log has `message`.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(raw::TH_E_INTERNAL, message)
    }

    /// `raw::TH_E_*`.
    pub fn status(&self) -> th_status {
        self.status
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// SQLSTATE of a statement that failed, e.g. "23505"; empty when the server was not reached; `None` for any other
    /// error.
    pub fn sqlstate(&self) -> Option<&str> {
        self.sql.as_ref().map(|(code, _)| code.as_str())
    }

    /// What the database said; for logs, never for clients.
    pub fn sql_detail(&self) -> Option<&str> {
        self.sql.as_ref().map(|(_, detail)| detail.as_str())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
