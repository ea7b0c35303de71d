//! The command line of `reinstate`, and the only place where the parts are put together.
//!
//! Architecture invariant: nothing depends on this crate. It holds wiring, words and exit codes; what is true of a run
//! is decided in the engine, what is said of it in the report.

mod announce;
mod args;
mod ask;
mod bench;
mod commands;
mod execute;
mod exit;
mod failure;
mod files;
mod log;
mod order;
mod out;
mod people;
mod plan_file;
mod planning;
mod progress;
mod secrets;
mod signals;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Parses the arguments, carries the command out and returns its exit code.
#[must_use]
pub fn main_impl() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is bad input.
            let exit = if error.use_stderr() { exit::Exit::BadInput } else { exit::Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    out::choose_color(cli.color);
    // Lines between drawings would tear a full screen apart.
    let drawn = matches!(cli.command, args::Command::Watch(_)) && out::on_terminal();
    // One TLS provider for the process; a second call would only say that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _log = log::start(if drawn { "off" } else { &cli.log }, cli.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::failure(&failure::Failure::trouble("runtime", &error, "check the limits of this process"), cli.json);
            return exit::Exit::Trouble.into();
        }
    };
    let json = cli.json;
    match runtime.block_on(commands::carry_out(cli)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out::failure(&failure, json);
            failure.exit.into()
        }
    }
}
