//! Archives: written by us and read by others, and the other way round.
