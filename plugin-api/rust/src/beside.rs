//! What goes on beside handlers: functions on the host's threads, and metrics.
use crate::call::{needed, to_th, Host};
use crate::define::{keep_list, keep_text};
use crate::error::Error;
use crate::raw::{self, th_str};
use crate::{current_tables, guard};
use std::os::raw::{c_char, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

/// A counter or gauge at the host's /metrics. A static of the plugin, named by [`crate::Plugin::metric`]:
/// `static SOLD: Metric = Metric::counter("sold_total", "Things sold.", &["kind"]);`
pub struct Metric {
    kind: u32,
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    /// The same for all instances, which declare their metrics in one order.
    number: AtomicU32,
}

impl Metric {
    /// Only grows. `name` ends with "_total".
    pub const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
        Metric { kind: raw::TH_METRIC_COUNTER, name, help, labels, number: AtomicU32::new(0) }
    }

    /// Goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
        Metric { kind: raw::TH_METRIC_GAUGE, name, help, labels, number: AtomicU32::new(0) }
    }

    /// Adds to the series with these values of the labels, in their order. For words of the plugin's own: never for ids,
    /// tenants or free text.
    pub fn add(&self, host: &Host, value: f64, labels: &[&str]) -> Result<(), Error> {
        let table = needed(host.tables.metrics, raw::TH_SVC_METRICS)?;
        let values: Vec<th_str> = labels.iter().map(|label| to_th(label)).collect();
        let number = self.number.load(Ordering::Relaxed);
        self.checked(unsafe { function!((*table).add)(host.raw, number, value, values.as_ptr(), values.len()) })
    }

    /// The same, but a gauge's series becomes `value`.
    pub fn set(&self, host: &Host, value: f64, labels: &[&str]) -> Result<(), Error> {
        let table = needed(host.tables.metrics, raw::TH_SVC_METRICS)?;
        let values: Vec<th_str> = labels.iter().map(|label| to_th(label)).collect();
        let number = self.number.load(Ordering::Relaxed);
        self.checked(unsafe { function!((*table).set)(host.raw, number, value, values.as_ptr(), values.len()) })
    }

    fn checked(&self, status: raw::th_status) -> Result<(), Error> {
        match status {
            raw::TH_OK => Ok(()),
            status => Err(Error::internal(format!("the metric {} was not taken (status {status})", self.name))),
        }
    }
}

/// A metric with its texts as the host takes them.
pub(crate) struct KeptMetric {
    metric: &'static Metric,
    name: *const c_char,
    help: *const c_char,
    labels: *const *const c_char,
}

impl KeptMetric {
    pub(crate) fn new(metric: &'static Metric) -> KeptMetric {
        KeptMetric {
            metric,
            name: keep_text(metric.name),
            help: keep_text(metric.help),
            labels: keep_list(metric.labels.iter().map(|label| keep_text(label)).collect()),
        }
    }

    /// While create() runs.
    pub(crate) fn define(&self, host: &Host) -> Result<(), Error> {
        let table = needed(host.tables.metrics, raw::TH_SVC_METRICS)?;
        let mut number = 0;
        let define = unsafe { function!((*table).define) };
        let status = unsafe { define(host.raw, self.metric.kind, self.name, self.help, self.labels, &mut number) };
        self.metric.checked(status)?;
        self.metric.number.store(number, Ordering::Relaxed);
        Ok(())
    }
}

struct Task {
    host: *mut raw::th_host,
    run: Box<dyn FnOnce(&Host) -> Result<(), Error> + Send>,
}

unsafe extern "C" fn run_task(context: *mut c_void) {
    let task = unsafe { Box::from_raw(context.cast::<Task>()) };
    let tables = current_tables();
    let host = task.host;
    guard(tables, host, std::ptr::null_mut(), || (task.run)(&Host { raw: host, tables }));
}

impl Host {
    /// Runs `run` on a thread of the host, soon. An error or a panic of it is in the host's log. `TH_E_LIMIT` when too
    /// many wait, `TH_E_UNAVAILABLE` when the instance stops: then it never runs.
    pub fn submit(&self, run: impl FnOnce(&Host) -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
        self.run_after(0, Box::new(run))
    }

    /// The same in `delay_us` microseconds, at most a day.
    pub fn submit_after(
        &self,
        delay_us: i64,
        run: impl FnOnce(&Host) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.run_after(delay_us, Box::new(run))
    }

    fn run_after(&self, delay_us: i64, run: Box<dyn FnOnce(&Host) -> Result<(), Error> + Send>) -> Result<(), Error> {
        let table = needed(self.tables.executor, raw::TH_SVC_EXECUTOR)?;
        let context = Box::into_raw(Box::new(Task { host: self.raw, run }));
        let status = unsafe {
            match delay_us {
                0 => function!((*table).submit)(self.raw, Some(run_task), context.cast()),
                delay_us => function!((*table).after)(self.raw, delay_us, Some(run_task), context.cast()),
            }
        };
        if status == raw::TH_OK {
            return Ok(());
        }
        drop(unsafe { Box::from_raw(context) }); // it was not taken
        Err(Error::new(status, "the host did not take a function to run"))
    }
}
