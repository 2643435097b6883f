//! The `fleetfoot` binary.

fn main() {}
