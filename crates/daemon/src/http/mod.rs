//! The handlers: wire to model, a call of the engine, what it answered to wire. A file for each noun, no policy but
//! who sees what.

mod audit;
mod cas;
mod compose;
mod config;
mod container;
mod convert;
mod fields;
mod firewall;
mod health;
mod image;
mod net;
mod registry;
mod secret;
mod service;
mod snapshot;
mod system;
mod task;
#[cfg(test)]
mod tests;
mod volume;
mod workload;

use crate::router::{Cx, Failure, Reporter, Routes};
use std::sync::Arc;
use volt_api::Problem;
use volt_engine::{Cancellation, Engine, Progress};

/// The handlers of all operations.
#[must_use]
pub fn routes() -> Routes<Engine> {
    let routes = snapshot::routes(container::routes(Routes::new()));
    let routes = registry::routes(image::routes(routes));
    let routes = firewall::routes(net::routes(volume::routes(cas::routes(routes))));
    let routes = secret::routes(task::routes(service::routes(routes)));
    let routes = system::routes(workload::routes(routes));
    let routes = compose::routes(health::routes(routes));
    audit::routes(config::routes(routes))
}

impl From<volt_engine::Error> for Failure {
    fn from(error: volt_engine::Error) -> Self {
        let causes = error.chain().split_off(1);
        let mut problem = Problem::new(error.kind, error.message);
        problem.subject = error.subject;
        problem.hint = error.hint;
        problem.causes = causes;
        problem.into()
    }
}

impl Progress for Reporter<'_> {
    fn step(&self, text: &str) {
        Reporter::step(self, text);
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        Reporter::bytes(self, done, total);
    }

    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }

    fn cancellation(&self) -> Cancellation {
        let cancel = self.cancel().clone();
        Arc::new(move || cancel.is_cancelled())
    }
}

/// Progress of what has no room for it in its answer.
struct Unseen<'a>(&'a Cx<Engine>);

impl Progress for Unseen<'_> {
    fn step(&self, text: &str) {
        self.0.doing(text);
    }

    fn bytes(&self, _: u64, _: Option<u64>) {}

    fn cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    fn cancellation(&self) -> Cancellation {
        let cancel = self.0.cancel.clone();
        Arc::new(move || cancel.is_cancelled())
    }
}
