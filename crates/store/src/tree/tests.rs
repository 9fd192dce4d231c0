//! Trees: every attribute, there and back.
