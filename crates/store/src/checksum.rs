//! Checksums of what is stored: the first 8 bytes of BLAKE3 over the place and the bytes.

/// Returns the checksum of a group; it covers where the group belongs, so that a row moved elsewhere is found out.
pub(crate) fn group(run: &str, seq: u64, epoch: u64, bytes: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    text(&mut hasher, run);
    hasher.update(&seq.to_le_bytes());
    hasher.update(&epoch.to_le_bytes());
    hasher.update(bytes);
    short(&hasher)
}

/// Returns the checksum of a run's head and plan.
pub(crate) fn plan(head: &runtime::RunHead, plan: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    text(&mut hasher, &head.run);
    text(&mut hasher, &head.plan_hash);
    hasher.update(&head.created_at.to_le_bytes());
    hasher.update(plan);
    short(&hasher)
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn short(hasher: &blake3::Hasher) -> [u8; 8] {
    let mut short = [0; 8];
    hasher.finalize_xof().fill(&mut short);
    short
}
