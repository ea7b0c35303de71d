//! A process that copies objects is killed in the middle.
