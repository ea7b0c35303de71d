//! The desk: many people who look at what came back, each at another thing, for days and in shifts.
//!
//! Who is at what is a claim in the store. A claim is true of people and never of a site: the run knows nothing of it, and
//! what has been decided is in the journal alone.

mod board;
mod claim;
mod trouble;
mod turns;
mod work;

pub(crate) use board::{Board, board, has_desk};
pub(crate) use claim::{end_shift, give_back, hand_over, next, renew, take, take_over};
pub(crate) use trouble::DeskError;
pub(crate) use turns::Turns;
pub(crate) use work::{Work, work};
