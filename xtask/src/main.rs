//! The team's chores.

fn main() {}
