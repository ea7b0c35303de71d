//! Tenants back under new IDs: everything that holds an ID follows, nothing else moves, and it is proven or not there.

mod actions;
mod dangling;
mod edges;
mod mirror;
mod overlap;
mod parts;
mod refused;
mod traits;
mod twice;
mod world;
