//! The stand-in for the official runner.
