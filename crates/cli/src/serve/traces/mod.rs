//! One OpenTelemetry trace per runner, if the environment names a collector.
//!
//! [`settings`] reads who takes traces, [`life`] gathers what is heard of each runner, [`spans`] makes a trace of a
//! life that is over, [`wire`] is the form in which it is sent, and [`export`] sends it.
//!
//! OpenTelemetry's SDK was turned down: what is traced here is no call stack of this process but what ECS and GitHub
//! tell afterwards, and its exporters bring a thread and an HTTP client that know neither our proxies nor our
//! authorities.

mod export;
mod life;
mod settings;
mod spans;
mod wire;

pub use export::{Exporter, Outlet, exporter};
pub use settings::Collector;

use fleetfoot_core::fleet::{Fleet, News};
use jiff::Timestamp;

use super::metrics::Names;
use life::Lives;

/// Hears of runners, and hands on the traces of those that are over.
#[derive(Debug)]
pub(super) struct Tracer {
    lives: Lives,
    outlet: Outlet,
}

impl Tracer {
    /// A tracer that has heard of no runner.
    pub(super) fn new(names: Names, outlet: Outlet) -> Self {
        Self { lives: Lives::new(names), outlet }
    }

    /// Takes in what happened.
    pub(super) fn hear(&mut self, now: Timestamp, news: &News) {
        if let Some(spans) = self.lives.hear(now, news) {
            self.outlet.send(spans);
        }
    }

    /// Takes in that time has passed.
    pub(super) fn look(&mut self, now: Timestamp, fleet: &Fleet) {
        for spans in self.lives.look(now, fleet) {
            self.outlet.send(spans);
        }
    }
}

impl Drop for Tracer {
    /// What has ended is told, even if more would have been heard of it. Runners that go on are the next leader's.
    fn drop(&mut self) {
        for spans in self.lives.end() {
            self.outlet.send(spans);
        }
    }
}
