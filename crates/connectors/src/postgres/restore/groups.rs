//! In which order tenants are restored, and which are read together: cost follows rows, not sites.

use std::collections::{HashMap, VecDeque};

/// Rows that are read together at most; a tenant that has more is streamed.
pub(crate) const GROUP_ROWS: u64 = 20_000;
/// Tenants that are read together at most.
const GROUP_TENANTS: usize = 256;

/// Tenants in the order in which they are restored: first these, then those.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// Streamed from server to server, each by itself with its rows; the largest first.
    pub(crate) alone: VecDeque<(String, u64)>,
    /// Read together and held in memory; the largest first.
    pub(crate) groups: Vec<Group>,
}

/// Tenants that are read together, each with its rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) tenants: Vec<(String, u64)>,
    pub(crate) rows: u64,
}

impl Order {
    /// Streams all of them; each comes with its rows.
    pub(crate) fn alone(tenants: Vec<(String, u64)>) -> Self {
        Self { alone: tenants.into(), groups: Vec::new() }
    }

    /// Puts tenants of known sizes in order.
    pub(crate) fn by_size(sizes: &HashMap<String, u64>, tenants: &[String]) -> Self {
        let size = |tenant: &String| sizes.get(tenant).copied().unwrap_or(0);
        let mut sorted: Vec<(&String, u64)> = tenants.iter().map(|tenant| (tenant, size(tenant))).collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let mut order = Self::default();
        for (tenant, rows) in sorted {
            if rows > GROUP_ROWS {
                order.alone.push_back((tenant.clone(), rows));
                continue;
            }
            let fits = |group: &&mut Group| group.rows + rows <= GROUP_ROWS && group.tenants.len() < GROUP_TENANTS;
            match order.groups.last_mut().filter(fits) {
                Some(group) => group.add(tenant, rows),
                None => {
                    let mut group = Group::default();
                    group.add(tenant, rows);
                    order.groups.push(group);
                }
            }
        }
        order
    }

    /// Returns how many tenants there are.
    pub(crate) fn len(&self) -> usize {
        self.alone.len() + self.groups.iter().map(|group| group.tenants.len()).sum::<usize>()
    }
}

impl Group {
    fn add(&mut self, tenant: &str, rows: u64) {
        self.tenants.push((tenant.to_owned(), rows));
        self.rows += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_go_first_and_small_ones_together() {
        let half = GROUP_ROWS / 2;
        let sizes = [("a", 10), ("b", GROUP_ROWS + 1), ("c", half), ("d", half), ("e", 1)];
        let tenants: Vec<String> = sizes.iter().map(|(id, _)| (*id).to_owned()).chain(["none".to_owned()]).collect();
        let sizes = sizes.iter().map(|(id, rows)| ((*id).to_owned(), *rows)).collect();
        let order = Order::by_size(&sizes, &tenants);
        assert_eq!((order.alone.clone(), order.len()), ([("b".to_owned(), GROUP_ROWS + 1)].into(), 6));
        let named = |group: &Group| group.tenants.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join("+");
        assert_eq!(order.groups.iter().map(named).collect::<Vec<_>>(), ["c+d", "a+e+none"]);
        assert_eq!(order.groups.iter().map(|group| group.rows).collect::<Vec<_>>(), [GROUP_ROWS, 11]);
        let many: Vec<String> = (0..600).map(|n| format!("{n:03}")).collect();
        let groups = Order::by_size(&HashMap::new(), &many).groups;
        assert_eq!(groups.iter().map(|group| group.tenants.len()).collect::<Vec<_>>(), [256, 256, 88]);
    }
}
