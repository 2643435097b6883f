//! What the benchmarks share: the world, the measuring, and how results are told.

pub(crate) mod measure;
pub(crate) mod report;
pub(crate) mod stage;

/// Whatever goes wrong ends the benchmark.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
