//! The HTTP contract of Volt: every operation, the wire types, problems, the OpenAPI document, the typed client.
//!
//! Server and client both live by [`operations::OPERATIONS`]; nothing can be asked that isn't there. This crate
//! knows neither the engine nor the operating system beyond a socket.

pub mod client;
pub mod openapi;
pub mod operations;
pub mod problem;
pub mod stream;
pub mod types;

pub use operations::{Operation, OperationInfo, Privilege, Shape};
pub use problem::Problem;
