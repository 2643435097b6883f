//! Each rule of the fleet by a case, and laws that hold whatever happens.

mod clear;
mod laws;
mod look;
mod provide;
mod record;
mod reduce;
mod scene;
