//! Sign-in by a provider of identities, which is a strict one on a socket: who gets in, who does not, and what is left.

mod lies;
mod names;
mod people;
mod trip;
mod trust;
mod ways;
