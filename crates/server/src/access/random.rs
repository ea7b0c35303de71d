//! Names that nobody can guess.

/// 256 bits from the system's generator, hexadecimal; `None` if the system has none to give.
pub(super) fn secret() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

/// A short name that is not secret.
pub(super) fn name() -> Option<String> {
    let mut bytes = [0_u8; 5];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
