//! Which sites a drill takes: drawn by a seed, each kind of site in its share.

use std::collections::BTreeMap;

use engine::{Column, Sites, Values};

use engine::Seeded;

/// How sites are drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub(crate) size: Size,
    /// Names of the attributes by which sites are told apart.
    pub(crate) stratify_by: Vec<String>,
    /// Fixed in the file; `None` for another at each slot.
    pub(crate) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Size {
    #[default]
    All,
    Count(u32),
    /// Hundredths of a percent.
    Share(u32),
}

/// Parts that numbers and times are divided in, by their order.
const PARTS: usize = 4;

impl Sample {
    /// Number of sites that are asked for of so many, which may be more than there are.
    #[must_use]
    pub fn asked_of(&self, sites: usize) -> usize {
        match self.size {
            Size::All => sites,
            Size::Count(count) => count as usize,
            // No list is so long that this would not fit.
            Size::Share(share) => sites.saturating_mul(share as usize).div_ceil(10_000),
        }
    }

    /// Number of sites drawn from so many; at least one if there is one.
    #[must_use]
    pub fn size_of(&self, sites: usize) -> usize {
        self.asked_of(sites).clamp(sites.min(1), sites)
    }

    /// Draws the rows of the sites that take part, ascending. The same seed gives the same rows.
    ///
    /// Sites are told apart by the attributes of `stratify_by`: texts, flags and lists by their value, numbers and times
    /// by the quarter of the list that they are in. Each kind gets its share of the sample, and at least one site if the
    /// sample has as many sites as there are kinds; of a smaller sample each site is of another kind.
    #[must_use]
    pub fn rows(&self, sites: &Sites, seed: u64) -> Vec<usize> {
        let count = self.size_of(sites.len());
        let mut random = Seeded::new(seed);
        let mut strata: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        let columns: Vec<Vec<String>> = self
            .stratify_by
            .iter()
            .filter_map(|name| sites.column(name))
            .map(|column| kinds(column, sites.len()))
            .collect();
        for row in 0..sites.len() {
            strata.entry(columns.iter().map(|column| column[row].clone()).collect()).or_default().push(row);
        }
        let mut strata: Vec<Vec<usize>> = strata.into_values().collect();
        if count < strata.len() {
            random.draw(&mut strata, count);
            strata.truncate(count);
        }
        let sizes: Vec<usize> = strata.iter().map(Vec::len).collect();
        let mut rows = Vec::with_capacity(count);
        for (mut stratum, share) in strata.into_iter().zip(shares(&sizes, count)) {
            random.draw(&mut stratum, share);
            rows.extend(stratum.into_iter().take(share));
        }
        rows.sort_unstable();
        rows
    }
}

/// What tells each site from others by one attribute.
fn kinds(column: &Column, sites: usize) -> Vec<String> {
    match &column.values {
        Values::Text(texts) => (0..sites).map(|row| texts.get(row).unwrap_or_default().to_owned()).collect(),
        Values::Boolean(flags) => flags.iter().map(ToString::to_string).collect(),
        Values::Integer(numbers) | Values::Timestamp(numbers) => quarters(sites, |a, b| numbers[a].cmp(&numbers[b])),
        Values::Number(numbers) => quarters(sites, |a, b| numbers[a].total_cmp(&numbers[b])),
        Values::List { offsets, items } => (0..sites)
            .map(|row| {
                let mut words: Vec<&str> =
                    (offsets[row]..offsets[row + 1]).filter_map(|item| items.get(item as usize)).collect();
                words.sort_unstable();
                words.join(";")
            })
            .collect(),
    }
}

/// The quarter of each row in the order of its values; equal values are in one quarter.
fn quarters(sites: usize, order: impl Fn(usize, usize) -> std::cmp::Ordering) -> Vec<String> {
    let mut rows: Vec<usize> = (0..sites).collect();
    rows.sort_by(|&a, &b| order(a, b));
    let mut parts = vec![String::new(); sites];
    let mut first = 0;
    for (at, &row) in rows.iter().enumerate() {
        if order(rows[first], row).is_ne() {
            first = at;
        }
        parts[row] = (first * PARTS / sites).to_string();
    }
    parts
}

/// Divides `count` over parts by their sizes, none above its size and none at 0; `count` is at least the number of parts
/// and at most the sum of their sizes.
fn shares(sizes: &[usize], count: usize) -> Vec<usize> {
    let total: u128 = sizes.iter().map(|&size| size as u128).sum();
    // Exact shares as fractions of `total`.
    let exact: Vec<u128> = sizes.iter().map(|&size| size as u128 * count as u128).collect();
    let whole = |share: u128| usize::try_from(share.checked_div(total).unwrap_or(0)).unwrap_or(usize::MAX);
    let mut given: Vec<usize> = exact.iter().map(|&share| whole(share).max(1)).collect();
    let mut sum: usize = given.iter().sum();
    // Whoever is furthest below its share gets one more; whoever is furthest above gives one.
    let gap = |given: &[usize], part: usize| exact[part].cast_signed() - (given[part] as u128 * total).cast_signed();
    while sum < count {
        let open = (0..sizes.len()).filter(|&part| given[part] < sizes[part]);
        let Some(part) = open.max_by_key(|&part| (gap(&given, part), std::cmp::Reverse(part))) else { break };
        given[part] += 1;
        sum += 1;
    }
    while sum > count {
        let open = (0..sizes.len()).filter(|&part| given[part] > 1);
        let Some(part) = open.min_by_key(|&part| (gap(&given, part), part)) else { break };
        given[part] -= 1;
        sum -= 1;
    }
    given
}

#[cfg(test)]
mod tests {
    use engine::Interned;

    use super::*;

    fn sites(regions: &[&str]) -> Sites {
        let mut texts = Interned::default();
        for region in regions {
            let known = texts.dictionary.iter().position(|name| name == region);
            let ix = known.unwrap_or_else(|| {
                texts.dictionary.push((*region).to_owned());
                texts.dictionary.len() - 1
            });
            texts.rows.push(u32::try_from(ix).expect("few"));
        }
        let users = (0..regions.len()).map(|row| i64::try_from(row * row % 97).expect("small")).collect();
        Sites {
            ids: (0..regions.len())
                .map(|row| format!("s{row}"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect(),
            source_rows: (0..regions.len()).map(|row| u32::try_from(row).expect("few")).collect(),
            columns: vec![
                Column { name: "region".into(), values: Values::Text(texts) },
                Column { name: "users".into(), values: Values::Integer(users) },
            ],
            restore_points: Vec::new(),
        }
    }

    fn by(size: Size, attributes: &[&str]) -> Sample {
        Sample { size, stratify_by: attributes.iter().map(|&name| name.to_owned()).collect(), seed: None }
    }

    #[test]
    fn each_kind_has_its_share_and_at_least_one() {
        let regions: Vec<&str> = (0..100)
            .map(|row| {
                if row < 2 {
                    "asia"
                } else if row < 30 {
                    "us"
                } else {
                    "eu"
                }
            })
            .collect();
        let sites = sites(&regions);
        let rows = by(Size::Count(10), &["region"]).rows(&sites, 7);
        let of = |name: &str| rows.iter().filter(|&&row| regions[row] == name).count();
        assert_eq!((of("asia"), of("us"), of("eu")), (1, 2, 7));
    }

    #[test]
    fn a_small_sample_takes_each_site_from_another_kind() {
        let regions = ["a", "a", "a", "b", "b", "c", "d"];
        for seed in 0..50 {
            let rows = by(Size::Count(3), &["region"]).rows(&sites(&regions), seed);
            let mut kinds: Vec<&str> = rows.iter().map(|&row| regions[row]).collect();
            kinds.dedup();
            assert_eq!(kinds.len(), 3, "seed {seed}");
        }
    }

    #[test]
    fn a_seed_gives_its_sample_again_and_another_seed_another() {
        let regions = vec!["eu"; 200];
        let sample = by(Size::Share(1_000), &["users"]);
        let sites = sites(&regions);
        assert_eq!(sample.rows(&sites, 1), sample.rows(&sites, 1));
        assert_ne!(sample.rows(&sites, 1), sample.rows(&sites, 2));
        assert_eq!(sample.rows(&sites, 1).len(), 20);
    }

    #[test]
    fn whatever_is_drawn_is_of_the_size_asked_once_each_and_in_order() {
        for seed in 0..500_u64 {
            let mut random = Seeded::new(seed);
            let len = 1 + random.below(60);
            let regions: Vec<&str> = (0..len).map(|_| ["a", "b", "c", "d"][random.below(4)]).collect();
            let sites = sites(&regions);
            let count = u32::try_from(random.below(70)).expect("small");
            let sample = by(Size::Count(count), &["region", "users"]);
            let rows = sample.rows(&sites, seed);
            assert_eq!(rows.len(), (count as usize).clamp(1, len), "seed {seed}");
            assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows.iter().all(|&row| row < len), "seed {seed}");
            // By region alone every kind is there as soon as there is room for it.
            let by_region = by(Size::Count(count), &["region"]).rows(&sites, seed);
            let kinds = |rows: &mut dyn Iterator<Item = usize>| {
                rows.map(|row| regions[row]).collect::<std::collections::BTreeSet<_>>().len()
            };
            let all = kinds(&mut (0..len));
            assert_eq!(kinds(&mut by_region.iter().copied()), all.min(by_region.len()), "seed {seed}");
        }
    }
}
