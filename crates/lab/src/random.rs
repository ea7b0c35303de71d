//! A small deterministic generator (splitmix64): the same seed gives the same estate on every machine.

/// A stream of pseudo-random numbers; not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A stream that depends on the seed and on every part of its name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in name.bytes() {
            state = mix(state ^ u64::from(byte)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
        Self(state)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `0..n`; 0 for `n == 0`. The bias of the modulo is far below what a lab can see.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next() % n }
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits fill the mantissa exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// `exp(mu + sigma * N(0,1))`: few large tenants, many small ones.
    pub(crate) fn lognormal(&mut self, mu: f64, sigma: f64) -> f64 {
        let u = self.unit().max(f64::MIN_POSITIVE);
        let v = self.unit();
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (mu + sigma * normal).exp()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.index(of.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.index(i + 1);
            items.swap(i, j);
        }
    }

    /// A version-4-shaped UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let a = self.next();
        let b = self.next();
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(len);
        out
    }

    /// `n` words of lab prose.
    pub(crate) fn words(&mut self, n: usize) -> String {
        let mut out = String::with_capacity(n * 7);
        for i in 0..n {
            if i > 0 {
                out.push(' ');
            }
            out.push_str(self.pick(WORDS));
        }
        out
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const WORDS: &[&str] = &[
    "invoice",
    "login",
    "report",
    "export",
    "import",
    "slow",
    "page",
    "button",
    "cache",
    "queue",
    "mobile",
    "email",
    "search",
    "customer",
    "payment",
    "timeout",
    "release",
    "branch",
    "review",
    "deploy",
    "alert",
    "metric",
    "budget",
    "hiring",
    "plan",
    "roadmap",
    "quarter",
    "design",
    "policy",
    "access",
    "token",
    "backup",
    "restore",
    "index",
    "schema",
    "upgrade",
    "node",
    "cluster",
    "latency",
    "error",
    "retry",
    "über",
    "naïve",
    "région",
    "東京",
    "it's",
    "\"quoted\"",
    "50%",
    "a;b",
    "tab\tbed",
];

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_seed_and_name_give_the_same_stream() {
        let (mut a, mut b) = (Random::new(7, "x"), Random::new(7, "x"));
        assert_eq!((a.next(), a.uuid(), a.words(5)), (b.next(), b.uuid(), b.words(5)));
        assert_ne!(Random::new(7, "x").next(), Random::new(7, "y").next());
        assert_ne!(Random::new(7, "x").next(), Random::new(8, "x").next());
    }
}
