//! The binary `reinstate`.

fn main() -> std::process::ExitCode {
    reinstate_cli::main_impl()
}
