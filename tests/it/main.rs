//! The tests: one binary, one module a concept.

mod fake;
mod floors;
mod layer;
mod support;
