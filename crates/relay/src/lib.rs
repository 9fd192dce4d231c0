//! Placeholder of the spine; replaced by its first real line.
