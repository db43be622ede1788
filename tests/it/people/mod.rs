//! What an event says of people: who they are, and where their requests come from.

mod addresses;
mod users;

/// As in the examples of `openssl` below.
const KEY: &str = "0123456789abcdef0123456789abcdef";
