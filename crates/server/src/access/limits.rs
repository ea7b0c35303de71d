//! How much one caller may ask: a bucket each, that fills with time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Callers that are remembered; those who have not asked for longest are forgotten, which fills their bucket.
const CALLERS: usize = 10_000;

/// Buckets of one kind.
#[derive(Debug)]
pub(super) struct Limit {
    most: f64,
    each_second: f64,
    callers: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limit {
    /// So many at once, and so many a second.
    pub(super) fn new(most: u32, each_second: f64) -> Self {
        Self { most: f64::from(most), each_second, callers: Mutex::default() }
    }

    /// Takes one from a caller's bucket; says how long to wait if it is empty.
    pub(super) fn take(&self, caller: &str) -> Result<(), Duration> {
        self.with(caller, |left| {
            if *left < 1.0 {
                return Err(1.0 - *left);
            }
            *left -= 1.0;
            Ok(())
        })
    }

    fn with(&self, caller: &str, act: impl FnOnce(&mut f64) -> Result<(), f64>) -> Result<(), Duration> {
        let now = Instant::now();
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS && !callers.contains_key(caller) {
            let full = |bucket: &Bucket| self.filled(bucket, now) >= self.most;
            callers.retain(|_, bucket| !full(bucket));
            if callers.len() >= CALLERS
                && let Some(oldest) = callers.iter().min_by_key(|(_, bucket)| bucket.at).map(|(name, _)| name.clone())
            {
                callers.remove(&oldest);
            }
        }
        let bucket = callers.entry(caller.to_owned()).or_insert(Bucket { left: self.most, at: now });
        bucket.left = self.filled(bucket, now);
        bucket.at = now;
        act(&mut bucket.left).map_err(|missing| Duration::from_secs_f64(missing / self.each_second))
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + since * self.each_second).min(self.most)
    }
}

/// What addresses of one caller have in common: of IPv6, whoever has a line has a whole /64 of it.
pub(super) fn line_of(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{}/64", Ipv6Addr::from([a, b, c, d, 0, 0, 0, 0]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_one_line_are_one_caller() {
        let line = |text: &str| line_of(text.parse().expect("an address"));
        assert_eq!(line("2001:db8:1:2::3"), line("2001:db8:1:2:ffff::4"));
        assert_ne!(line("2001:db8:1:2::3"), line("2001:db8:1:3::3"));
        assert_ne!(line("10.0.0.1"), line("10.0.0.2"));
        assert_eq!(line("10.0.0.1"), line("::ffff:10.0.0.1"), "the same address, written for the other net");
    }

    #[test]
    fn a_bucket_empties_and_one_callers_is_not_anothers() {
        let limit = Limit::new(3, 0.001);
        assert_eq!((0..3).filter(|_| limit.take("a").is_ok()).count(), 3);
        let wait = limit.take("a").expect_err("it is empty");
        assert!(wait > Duration::from_secs(900), "{wait:?}");
        assert!(limit.take("a").is_err() && limit.take("b").is_ok());
    }

    #[test]
    fn many_callers_do_not_fill_the_memory() {
        let limit = Limit::new(2, 0.001);
        (0..CALLERS + 500).for_each(|caller| assert!(limit.take(&caller.to_string()).is_ok()));
        assert!(limit.callers.lock().expect("nobody panicked").len() <= CALLERS);
    }
}
