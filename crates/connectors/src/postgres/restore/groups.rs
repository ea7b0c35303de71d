//! Which tenants are read together: cost follows rows, not sites.

use std::collections::{HashMap, VecDeque};

/// Rows that are held in memory at once by a connection; a larger tenant is streamed.
const GROUP_ROWS: u64 = 40_000;
/// Tenants that are read together at most.
const GROUP_TENANTS: usize = 256;

/// Tenants that are read together; or one that is not held in memory.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) tenants: Vec<String>,
    pub(crate) large: bool,
}

/// Puts tenants into groups, the largest first.
pub(crate) fn grouped(sizes: HashMap<String, u64>, tenants: &[String]) -> VecDeque<Group> {
    let size = |tenant: &String| sizes.get(tenant).copied().unwrap_or(0);
    let mut sorted: Vec<&String> = tenants.iter().collect();
    sorted.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.cmp(b)));
    let mut groups: VecDeque<Group> = VecDeque::new();
    let mut rows = 0;
    for tenant in sorted {
        let own = size(tenant);
        if own > GROUP_ROWS / 2 {
            groups.push_back(Group { tenants: vec![tenant.clone()], large: true });
            continue;
        }
        match groups.back_mut() {
            Some(group) if !group.large && rows + own <= GROUP_ROWS && group.tenants.len() < GROUP_TENANTS => {
                group.tenants.push(tenant.clone());
                rows += own;
            }
            _ => {
                groups.push_back(Group { tenants: vec![tenant.clone()], large: false });
                rows = own;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_go_first_and_small_ones_together() {
        let sizes = [("a", 10), ("b", GROUP_ROWS), ("c", GROUP_ROWS / 2), ("d", GROUP_ROWS / 2), ("e", 1)];
        let tenants: Vec<String> = sizes.iter().map(|(id, _)| (*id).to_owned()).chain(["none".to_owned()]).collect();
        let sizes = sizes.iter().map(|(id, rows)| ((*id).to_owned(), *rows)).collect();
        let groups: Vec<String> = grouped(sizes, &tenants)
            .iter()
            .map(|it| format!("{}{}", it.tenants.join("+"), if it.large { "!" } else { "" }))
            .collect();
        assert_eq!(groups, ["b!", "c+d", "a+e+none"]);
        let many: Vec<String> = (0..600).map(|n| format!("{n:03}")).collect();
        let lengths: Vec<usize> = grouped(HashMap::new(), &many).iter().map(|group| group.tenants.len()).collect();
        assert_eq!(lengths, [256, 256, 88]);
    }
}
