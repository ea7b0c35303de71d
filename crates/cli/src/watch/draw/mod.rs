//! Drawing: pure functions from a snapshot and the desk to the screen.

mod body;
mod foot;
mod frame;
mod head;
mod ink;
mod over;
#[cfg(test)]
mod tests;
mod waits;

pub(super) use frame::{draw, is_small};
pub(super) use ink::Ink;
