//! The `perikon` server program.
fn main() {}
