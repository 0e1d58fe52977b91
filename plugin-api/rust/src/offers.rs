use crate::call::{bytes_to_th, needed, to_th, Call, Host};
use crate::define::{keep_list, keep_text};
use crate::error::Error;
use crate::raw::{self, th_call, th_content, th_prompt_argument, th_prompt_def, th_resource_def, th_status};
use crate::{current_tables, guard};
use std::mem::size_of;
use std::ops::Deref;
use std::os::raw::c_void;
use std::ptr::null;

/// One block of content; what it borrows must outlive the push.
pub(crate) fn content_of(kind: u32) -> th_content {
    let mut content: th_content = unsafe { std::mem::zeroed() };
    content.struct_size = size_of::<th_content>() as u32;
    content.kind = kind;
    content
}

/// The call that reads a resource: push one `text` or `bytes`, or several for a resource made of parts. `Ok` without any
/// means that there is no such thing.
pub struct Reading(Call);

/// The call that makes a prompt. Its arguments are text: `call.str("/name")`.
pub struct Prompting(Call);

/// The call that completes an argument of a prompt or a variable of a template.
pub struct Completing(Call);

impl Deref for Reading {
    type Target = Call;
    fn deref(&self) -> &Call {
        &self.0
    }
}
impl Deref for Prompting {
    type Target = Call;
    fn deref(&self) -> &Call {
        &self.0
    }
}
impl Deref for Completing {
    type Target = Call;
    fn deref(&self) -> &Call {
        &self.0
    }
}

impl Reading {
    /// What was asked for.
    pub fn uri(&self) -> Result<&str, Error> {
        self.str("/uri")
    }

    /// A variable of the template, percent-decoded.
    pub fn variable(&self, name: &str) -> Result<&str, Error> {
        self.str(&format!("/variables/{name}"))
    }

    /// `mime_type` may be empty.
    pub fn text(&self, text: &str, mime_type: &str) -> Result<(), Error> {
        let mut content = content_of(raw::TH_C_RESOURCE);
        content.text = to_th(text);
        content.mime_type = to_th(mime_type);
        self.push_content(&content)
    }

    /// `mime_type` may be empty.
    pub fn bytes(&self, bytes: &[u8], mime_type: &str) -> Result<(), Error> {
        let mut content = content_of(raw::TH_C_RESOURCE);
        content.flags = raw::TH_C_IS_BYTES;
        content.bytes = bytes_to_th(bytes);
        content.mime_type = to_th(mime_type);
        self.push_content(&content)
    }
}

impl Prompting {
    /// What the prompt is for, with these arguments; else the declared description.
    pub fn description(&self, text: &str) -> Result<(), Error> {
        let table = needed(self.tables.prompt, raw::TH_SVC_PROMPT)?;
        self.check(unsafe { function!((*table).description)(self.raw, to_th(text)) })
    }

    /// Appends a message of the user's.
    pub fn user(&self, text: &str) -> Result<(), Error> {
        self.message(raw::TH_ROLE_USER, text)
    }

    /// Appends a message of the assistant's.
    pub fn assistant(&self, text: &str) -> Result<(), Error> {
        self.message(raw::TH_ROLE_ASSISTANT, text)
    }

    fn message(&self, role: i32, text: &str) -> Result<(), Error> {
        let table = needed(self.tables.prompt, raw::TH_SVC_PROMPT)?;
        let mut content = content_of(raw::TH_C_TEXT);
        content.text = to_th(text);
        self.check(unsafe { function!((*table).message)(self.raw, role, &content) })
    }
}

impl Completing {
    /// Which argument or variable.
    pub fn argument(&self) -> Result<&str, Error> {
        self.str("/argument/name")
    }

    /// What was typed so far.
    pub fn typed(&self) -> Result<&str, Error> {
        self.str("/argument/value")
    }

    /// Another argument that is known already.
    pub fn known(&self, name: &str) -> Result<Option<&str>, Error> {
        self.opt_str(&format!("/context/arguments/{name}"))
    }

    /// Offers a value, best first.
    pub fn value(&self, text: &str) -> Result<(), Error> {
        let table = needed(self.tables.complete, raw::TH_SVC_COMPLETE)?;
        self.check(unsafe { function!((*table).value)(self.raw, to_th(text)) })
    }

    /// How many there are in all.
    pub fn total(&self, count: i64) -> Result<(), Error> {
        let table = needed(self.tables.complete, raw::TH_SVC_COMPLETE)?;
        self.check(unsafe { function!((*table).total)(self.raw, count) })
    }
}

type Run = Box<dyn Fn(Call) -> Result<(), Error> + Send + Sync>;

/// The handlers of a resource or prompt; `user` of its definition points at it.
struct Handlers {
    run: Run,
    complete: Option<Run>,
}

fn run(instance: *mut c_void, call: *mut th_call, handler: impl FnOnce(Call) -> Result<(), Error>) -> th_status {
    let host = unsafe { crate::define::host_of(instance) };
    let tables = current_tables();
    guard(tables, host, call, || handler(Call { raw: call, host: Host { raw: host, tables }, tables }))
}

unsafe extern "C" fn run_offer(instance: *mut c_void, user: *mut c_void, call: *mut th_call) -> th_status {
    run(instance, call, |call| (unsafe { &*user.cast::<Handlers>() }.run)(call))
}

unsafe extern "C" fn complete_offer(instance: *mut c_void, user: *mut c_void, call: *mut th_call) -> th_status {
    run(instance, call, |call| match &unsafe { &*user.cast::<Handlers>() }.complete {
        Some(complete) => complete(call),
        None => Err(Error::internal("nothing completes this")),
    })
}

/// Something that clients may read. Needs a host of minor 1.
pub struct Resource {
    def: th_resource_def,
    handlers: Handlers,
}

impl Resource {
    /// A resource at an absolute URI, such as "notes:/all".
    pub fn new(
        uri: &str,
        name: &str,
        read: impl Fn(&Reading) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Resource {
        let mut def: th_resource_def = unsafe { std::mem::zeroed() };
        def.struct_size = size_of::<th_resource_def>() as u32;
        def.uri = keep_text(uri);
        def.name = keep_text(name);
        def.read = Some(run_offer);
        Resource { def, handlers: Handlers { run: Box::new(move |call| read(&Reading(call))), complete: None } }
    }

    /// Resources whose URIs have variables, as in "notes:/{id}".
    pub fn template(
        uri_template: &str,
        name: &str,
        read: impl Fn(&Reading) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Resource {
        let mut made = Resource::new(uri_template, name, read);
        made.def.flags |= raw::TH_RESOURCE_TEMPLATE;
        made
    }

    /// A template: offers values of its variables.
    pub fn completes(
        mut self,
        complete: impl Fn(&Completing) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Resource {
        self.def.complete = Some(complete_offer);
        self.handlers.complete = Some(Box::new(move |call| complete(&Completing(call))));
        self
    }
    pub fn title(mut self, title: &str) -> Resource {
        self.def.title = keep_text(title);
        self
    }
    pub fn description(mut self, description: &str) -> Resource {
        self.def.description = keep_text(description);
        self
    }
    pub fn mime_type(mut self, mime_type: &str) -> Resource {
        self.def.mime_type = keep_text(mime_type);
        self
    }
    /// MCP annotations, a JSON object.
    pub fn annotations(mut self, json: &str) -> Resource {
        self.def.annotations_json = keep_text(json);
        self
    }

    pub(crate) fn keep(mut self) -> *const th_resource_def {
        self.def.user = Box::into_raw(Box::new(self.handlers)).cast();
        Box::leak(Box::new(self.def))
    }
}

/// A prompt that people pick. Needs a host of minor 1.
pub struct Prompt {
    def: th_prompt_def,
    arguments: Vec<*const th_prompt_argument>,
    handlers: Handlers,
}

impl Prompt {
    pub fn new(name: &str, get: impl Fn(&Prompting) -> Result<(), Error> + Send + Sync + 'static) -> Prompt {
        let mut def: th_prompt_def = unsafe { std::mem::zeroed() };
        def.struct_size = size_of::<th_prompt_def>() as u32;
        def.name = keep_text(name);
        def.get = Some(run_offer);
        let handlers = Handlers { run: Box::new(move |call| get(&Prompting(call))), complete: None };
        Prompt { def, arguments: Vec::new(), handlers }
    }

    /// One that must be given.
    pub fn argument(self, name: &str, description: &str) -> Prompt {
        self.add_argument(name, description, 1)
    }
    /// One that may be left out.
    pub fn opt_argument(self, name: &str, description: &str) -> Prompt {
        self.add_argument(name, description, 0)
    }
    fn add_argument(mut self, name: &str, description: &str, required: u32) -> Prompt {
        self.arguments.push(Box::leak(Box::new(th_prompt_argument {
            struct_size: size_of::<th_prompt_argument>() as u32,
            required,
            name: keep_text(name),
            title: null(),
            description: keep_text(description),
        })));
        self
    }
    /// Offers values of its arguments.
    pub fn completes(mut self, complete: impl Fn(&Completing) -> Result<(), Error> + Send + Sync + 'static) -> Prompt {
        self.def.complete = Some(complete_offer);
        self.handlers.complete = Some(Box::new(move |call| complete(&Completing(call))));
        self
    }
    pub fn title(mut self, title: &str) -> Prompt {
        self.def.title = keep_text(title);
        self
    }
    pub fn description(mut self, description: &str) -> Prompt {
        self.def.description = keep_text(description);
        self
    }

    pub(crate) fn keep(mut self) -> *const th_prompt_def {
        self.def.arguments = keep_list(self.arguments);
        self.def.user = Box::into_raw(Box::new(self.handlers)).cast();
        Box::leak(Box::new(self.def))
    }
}
