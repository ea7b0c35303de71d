//! Groups whose bytes follow from their number, so that any process can check them.

/// Returns the bytes of a group: 0 to about 3,000, different for each number.
pub(crate) fn group(seq: u64) -> Vec<u8> {
    let length = seq.wrapping_mul(997) % 3_001;
    (0..length).map(|at| (seq.wrapping_mul(31).wrapping_add(at.wrapping_mul(7)) % 251) as u8).collect()
}

/// Sites of each run that a process creates until it is killed.
#[allow(dead_code, reason = "not every program of this folder creates runs")]
pub(crate) const SITES: usize = 500;

/// Groups of a run that was copied: more than one message carries.
pub(crate) const COPIED: u64 = 1_200;
