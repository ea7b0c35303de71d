//! The guide: every example of every page is executed, every code is explained, nothing of the language is left out.

mod codes;
mod covers;
mod deploy;
mod help;
mod pages;
mod parts;
