//! Serving the API: as a socket-activated daemon, and inside a command's own process.
//!
//! - Requests: [`router`] (the way of a request), [`auth`], [`audit`], [`activity`]
//! - Connections: [`server`], [`peer`]
//! - The operations themselves: [`http`]
//! - Where it runs: [`installation`], [`run`] (the daemon), [`embedded`]
//!
//! A handler converts, calls the engine, converts; policy lives in the engine.

pub mod activity;
pub mod audit;
pub mod auth;
pub mod embedded;
pub mod http;
pub mod installation;
pub mod peer;
pub mod router;
pub mod run;
pub mod server;
