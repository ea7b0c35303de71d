//! The binary as a process for tests: cargo gives a test the path of a binary of its own package only.

fn main() -> std::process::ExitCode {
    reinstate_cli::main_impl()
}
