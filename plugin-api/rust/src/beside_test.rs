//! Metrics and functions on threads against a host made for this test, which says no when it is told to.
use crate::beside::{KeptMetric, Metric};
use crate::call::Host;
use crate::{raw, Error, Tables};
use std::ffi::CStr;
use std::os::raw::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
static REFUSES: AtomicBool = AtomicBool::new(false);

fn say(text: String) {
    SAID.lock().unwrap().push(text);
}

unsafe extern "C" fn log(
    _: *mut raw::th_host,
    _: *mut raw::th_call,
    level: i32,
    text: raw::th_str,
    _: *const raw::th_str,
    _: usize,
) {
    say(format!("log {level} {}", unsafe { crate::call::text_of(text) }.unwrap()));
}

unsafe extern "C" fn submit(_: *mut raw::th_host, run: raw::th_fn, context: *mut c_void) -> raw::th_status {
    if REFUSES.load(Ordering::Relaxed) {
        return raw::TH_E_LIMIT;
    }
    unsafe { run.unwrap()(context) };
    raw::TH_OK
}

unsafe extern "C" fn after(host: *mut raw::th_host, us: i64, run: raw::th_fn, context: *mut c_void) -> raw::th_status {
    say(format!("after {us}"));
    unsafe { submit(host, run, context) }
}

unsafe extern "C" fn define(
    _: *mut raw::th_host,
    kind: u32,
    name: *const c_char,
    help: *const c_char,
    labels: *const *const c_char,
    metric: *mut u32,
) -> raw::th_status {
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_string();
    let mut line = format!("define {kind} {} {}", text(name), text(help));
    unsafe {
        for i in 0.. {
            if labels.is_null() || (*labels.add(i)).is_null() {
                break;
            }
            line += &format!(" {}", text(*labels.add(i)));
        }
        *metric = 5;
    }
    say(line);
    raw::TH_OK
}

unsafe extern "C" fn add(
    _: *mut raw::th_host,
    metric: u32,
    value: f64,
    labels: *const raw::th_str,
    n: usize,
) -> raw::th_status {
    let labels = unsafe { std::slice::from_raw_parts(labels, n) };
    let labels: Vec<_> = labels.iter().map(|label| unsafe { crate::call::text_of(*label) }.unwrap()).collect();
    say(format!("add {metric} {value} {}", labels.join(",")));
    if value < 0.0 {
        return raw::TH_E_INVALID;
    }
    raw::TH_OK
}

fn host() -> Host {
    let mut core: raw::th_host_api = unsafe { std::mem::zeroed() };
    core.log = Some(log);
    let mut executor: raw::th_executor_api = unsafe { std::mem::zeroed() };
    executor.submit = Some(submit);
    executor.after = Some(after);
    let mut metrics: raw::th_metrics_api = unsafe { std::mem::zeroed() };
    metrics.define = Some(define);
    metrics.add = Some(add);
    let tables: &'static Tables = Box::leak(Box::new(Tables {
        core: Box::leak(Box::new(core)),
        executor: Box::leak(Box::new(executor)),
        metrics: Box::leak(Box::new(metrics)),
        call: null(),
        args: null(),
        json: null(),
        db: null(),
        config: null(),
        token: null(),
        people: null(),
        reads: null(),
        client: null(),
        catalog: null(),
        prompt: null(),
        complete: null(),
        secrets: null(),
    }));
    crate::TABLES.store(tables as *const Tables as *mut Tables, Ordering::Release);
    Host { raw: null_mut(), tables }
}

/// Counts how often it is dropped.
struct Held(Arc<AtomicUsize>);
impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

static SOLD: Metric = Metric::counter("sold_total", "Things sold.", &["kind", "size"]);

#[test]
fn functions_run_once_are_contained_and_freed_and_metrics_carry_their_labels() {
    let host = host();
    crate::keep_panics();
    let drops = Arc::new(AtomicUsize::new(0));
    let hold = || Held(drops.clone());

    let held = hold();
    host.submit(move |host| {
        let _held = held;
        host.log(crate::Level::Info, "ran", &[]);
        Ok(())
    })
    .unwrap();
    let held = hold();
    host.submit_after(9, move |_| -> Result<(), Error> {
        let _held = held;
        panic!("on purpose")
    })
    .unwrap();
    host.submit(|_| Err(Error::internal("failed"))).unwrap();
    REFUSES.store(true, Ordering::Relaxed);
    let held = hold();
    let refused = host.submit(move |_| {
        let _held = &held;
        Ok(())
    });
    assert_eq!(refused.unwrap_err().status(), raw::TH_E_LIMIT);
    assert_eq!(drops.load(Ordering::Relaxed), 3, "what a function holds is freed, also when it panics or never runs");

    KeptMetric::new(&SOLD).define(&host).unwrap();
    SOLD.add(&host, 2.5, &["book", "large"]).unwrap();
    assert!(SOLD.add(&host, -1.0, &[]).unwrap_err().message().contains("sold_total"));

    let said = SAID.lock().unwrap().clone();
    assert_eq!(said[0], "log 2 ran");
    assert_eq!(said[1], "after 9");
    assert!(said[2].starts_with("log 4 panicked at") && said[2].contains("on purpose"), "{}", said[2]);
    assert_eq!(
        said[3..],
        ["log 4 failed", "define 1 sold_total Things sold. kind size", "add 5 2.5 book,large", "add 5 -1 "]
    );
}
