//! One attempt of a unit, wherever it is executed: in the driver's process, or by a worker as an order.

mod execute;
mod logged;
pub(crate) mod outcome;
mod trace;
mod wire;

pub(crate) use execute::Attempt;
pub(crate) use logged::ended;
pub(crate) use wire::{decode_answer, decode_call, demands, encode_answer, encode_call, for_people, has};
