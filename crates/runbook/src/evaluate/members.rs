//! Which sites a key of a group covers.

use engine::Group;

/// Sites of each key of a group.
#[derive(Debug)]
pub(super) struct Members {
    /// One more than there are keys.
    offsets: Vec<usize>,
    sites: Vec<u32>,
}

impl Members {
    pub(super) fn of(group: &Group) -> Self {
        let count = group.keys.dictionary.len();
        let keys = || group.keys.rows.iter().map(|&key| key as usize).enumerate().filter(|&(_, key)| key < count);
        let mut offsets = vec![0; count + 1];
        for (_, key) in keys() {
            offsets[key + 1] += 1;
        }
        for key in 0..count {
            offsets[key + 1] += offsets[key];
        }
        let mut next = offsets.clone();
        let mut sites = vec![0; offsets[count]];
        for (site, key) in keys() {
            sites[next[key]] = u32::try_from(site).unwrap_or(u32::MAX);
            next[key] += 1;
        }
        Self { offsets, sites }
    }

    /// Sites of a key, in the order of the plan.
    pub(super) fn of_key(&self, key: u32) -> &[u32] {
        let (Some(&start), Some(&end)) = (self.offsets.get(key as usize), self.offsets.get(key as usize + 1)) else {
            return &[];
        };
        self.sites.get(start..end).unwrap_or_default()
    }
}
