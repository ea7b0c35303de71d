//! Which keys each scope has, which sites each key covers, and which keys of two scopes share a site.

use crate::ids::{GroupIx, KeyIx, SiteIx};
use crate::plan::spec::{Batches, Group, NO_KEY, Scope};

/// Lists of numbers stored end to end: list `i` is `values[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    offsets: Vec<u32>,
    values: Vec<u32>,
}

impl Lists {
    /// Groups pairs by their first number, keeping the order of the second; both below `len`/anything.
    pub(crate) fn from_pairs(len: usize, pairs: &[(u32, u32)]) -> Self {
        let mut offsets = vec![0_u32; len + 1];
        for &(list, _) in pairs {
            offsets[list as usize + 1] += 1;
        }
        for ix in 0..len {
            offsets[ix + 1] += offsets[ix];
        }
        let mut next = offsets.clone();
        let mut values = vec![0; pairs.len()];
        for &(list, value) in pairs {
            values[next[list as usize] as usize] = value;
            next[list as usize] += 1;
        }
        Self { offsets, values }
    }

    pub(crate) fn get(&self, list: usize) -> &[u32] {
        &self.values[self.offsets[list] as usize..self.offsets[list + 1] as usize]
    }
}

/// The keys of every scope of a plan, and the relation "shares a site" between them.
#[derive(Debug)]
pub(crate) struct Keys {
    sites: u32,
    batch_ends: Vec<u32>,
    batch_of: Vec<u16>,
    group_rows: Vec<Vec<u32>>,
    group_len: Vec<u32>,
    members: Vec<Lists>,
    /// Overlaps between batch (index 0) and groups (index g + 1), `overlaps[a][b]`; the diagonal is unused.
    overlaps: Vec<Vec<Lists>>,
}

/// Keys of one scope that share a site with a key of another.
pub(crate) enum Shared<'a> {
    /// A contiguous range.
    Range(std::ops::Range<u32>),
    /// A list.
    List(&'a [u32]),
}

impl Shared<'_> {
    pub(crate) fn len(&self) -> u32 {
        match self {
            Self::Range(range) => range.end - range.start,
            Self::List(list) => u32::try_from(list.len()).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn get(&self, ix: u32) -> KeyIx {
        match self {
            Self::Range(range) => KeyIx(range.start + ix),
            Self::List(list) => KeyIx(list[ix as usize]),
        }
    }
}

impl Keys {
    pub(crate) fn new(sites: u32, batches: &Batches, groups: &[Group]) -> Self {
        let mut batch_of = Vec::with_capacity(sites as usize);
        for (batch, &end) in batches.ends.iter().enumerate() {
            batch_of.resize(end as usize, u16::try_from(batch).unwrap_or(u16::MAX));
        }
        let group_rows: Vec<Vec<u32>> = groups.iter().map(|group| group.keys.rows.clone()).collect();
        let group_len: Vec<u32> =
            groups.iter().map(|group| u32::try_from(group.keys.dictionary.len()).unwrap_or(u32::MAX)).collect();
        let members = group_rows
            .iter()
            .zip(&group_len)
            .map(|(rows, &len)| Lists::from_pairs(len as usize, &covered(rows)))
            .collect();
        let mut keys = Self {
            sites,
            batch_ends: batches.ends.clone(),
            batch_of,
            group_rows,
            group_len,
            members,
            overlaps: vec![],
        };
        keys.overlaps = keys.all_overlaps();
        keys
    }

    fn all_overlaps(&self) -> Vec<Vec<Lists>> {
        let sides: Vec<Scope> = std::iter::once(Scope::Batch)
            .chain((0..self.group_len.len()).map(|group| Scope::Group(GroupIx::from(group))))
            .collect();
        sides.iter().map(|&a| sides.iter().map(|&b| self.overlap(a, b)).collect()).collect()
    }

    fn overlap(&self, a: Scope, b: Scope) -> Lists {
        if a == b {
            return Lists::default();
        }
        let mut pairs: Vec<(u32, u32)> = (0..self.sites)
            .filter_map(|site| Some((self.of_site(a, SiteIx(site))?.0, self.of_site(b, SiteIx(site))?.0)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        Lists::from_pairs(self.len(a) as usize, &pairs)
    }

    /// Number of keys of a scope.
    pub(crate) fn len(&self, scope: Scope) -> u32 {
        match scope {
            Scope::Run => 1,
            Scope::Batch => u32::try_from(self.batch_ends.len()).unwrap_or(u32::MAX),
            Scope::Group(group) => self.group_len[group.ix()],
            Scope::Site => self.sites,
        }
    }

    /// Key of a scope that covers a site; `None` if the site has no key in that group.
    pub(crate) fn of_site(&self, scope: Scope, site: SiteIx) -> Option<KeyIx> {
        match scope {
            Scope::Run => Some(KeyIx(0)),
            Scope::Batch => Some(KeyIx(u32::from(self.batch_of[site.ix()]))),
            Scope::Group(group) => match self.group_rows[group.ix()][site.ix()] {
                NO_KEY => None,
                key => Some(KeyIx(key)),
            },
            Scope::Site => Some(KeyIx(site.0)),
        }
    }

    /// Sites that a key covers.
    pub(crate) fn sites_of(&self, scope: Scope, key: KeyIx) -> Shared<'_> {
        self.shared(scope, key, Scope::Site)
    }

    /// Keys of `to` that share a site with a key of `from`, in ascending order.
    pub(crate) fn shared(&self, from: Scope, key: KeyIx, to: Scope) -> Shared<'_> {
        if from == to {
            return Shared::Range(key.0..key.0 + 1);
        }
        match (from, to) {
            (_, Scope::Run) => Shared::Range(0..1),
            (Scope::Run, _) => Shared::Range(0..self.len(to)),
            (Scope::Site, _) => match self.of_site(to, SiteIx(key.0)) {
                Some(key) => Shared::Range(key.0..key.0 + 1),
                None => Shared::Range(0..0),
            },
            (Scope::Batch, Scope::Site) => {
                let start = if key.0 == 0 { 0 } else { self.batch_ends[key.ix() - 1] };
                Shared::Range(start..self.batch_ends[key.ix()])
            }
            (Scope::Group(group), Scope::Site) => Shared::List(self.members[group.ix()].get(key.ix())),
            _ => Shared::List(self.overlaps[side(from)][side(to)].get(key.ix())),
        }
    }
}

fn side(scope: Scope) -> usize {
    match scope {
        Scope::Group(group) => group.ix() + 1,
        Scope::Run | Scope::Batch | Scope::Site => 0,
    }
}

fn covered(rows: &[u32]) -> Vec<(u32, u32)> {
    rows.iter()
        .enumerate()
        .filter(|&(_, &key)| key != NO_KEY)
        .map(|(site, &key)| (key, u32::try_from(site).unwrap_or(u32::MAX)))
        .collect()
}
