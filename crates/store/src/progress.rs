//! How a long operation tells its caller where it is, and learns that nobody wants it any more.

/// What a caller hears of a long operation. Called often, from the thread that does the work: be quick.
pub trait Progress {
    /// A step began: a few words such as `Retrieving libc6`.
    fn step(&self, text: &str);

    /// Bytes done so far, and of how many in all where that is known.
    fn bytes(&self, done: u64, total: Option<u64>);

    /// Whether to give up; what was begun is then undone and [`crate::Error::Cancelled`] returned.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _text: &str) {}
    fn bytes(&self, _done: u64, _total: Option<u64>) {}
}
