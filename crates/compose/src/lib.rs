//! Stacks from files: what people write in `compose.yaml` or `volt-compose.yaml` becomes one checked [`Stack`](stack::Stack).
//!
//! Nothing here talks to a daemon, the host or the network: files are read through [`files::Files`], variables of the environment
//! are handed in, and everything else is a pure function. The way of a file:
//!
//! 1. [`yaml`]: text to nodes, each with its place
//! 2. [`interpolate`], [`dotenv`]: variables
//! 3. [`merge`], [`load`]: several files, `include`, `extends`, profiles
//! 4. [`fields`]: which fields there are, and what Volt does with each
//! 5. [`decode`]: nodes to the types of [`stack`]
//! 6. [`verify`]: what no single field can tell
//!
//! And what is done with a stack: [`graph`] (order, picture), [`plan`] (what to change), [`convert`] (other engines' files),
//! [`launch`] (one container in the words of the engine), [`assets`] (files that it is given), [`develop`] (what to do when sources
//! change).

pub mod assets;
pub mod convert;
pub mod decode;
pub mod develop;
pub mod dotenv;
pub mod fields;
pub mod files;
pub mod graph;
pub mod hash;
pub mod health;
pub mod interpolate;
pub mod launch;
pub mod load;
pub mod merge;
pub mod names;
pub mod plan;
pub mod problem;
pub mod stack;
#[cfg(test)]
mod testing;
pub mod verify;
pub mod words;
pub mod yaml;

pub use load::{Loaded, Request, load};
pub use problem::{Problem, Report};
pub use stack::Stack;
