//! Rows of a table that are there already, known by their hashes, in whatever order the backup gives them.

/// How often each hash is left.
#[derive(Debug)]
pub(crate) struct Part {
    hashes: Vec<u128>,
    left: Vec<u32>,
}

impl Part {
    pub(crate) fn new(mut all: Vec<u128>) -> Self {
        all.sort_unstable();
        let mut part = Self { hashes: Vec::with_capacity(all.len()), left: Vec::with_capacity(all.len()) };
        for hash in all {
            match part.left.last_mut() {
                Some(left) if part.hashes.last() == Some(&hash) => *left += 1,
                _ => {
                    part.hashes.push(hash);
                    part.left.push(1);
                }
            }
        }
        part
    }

    /// Takes one row; `false` if it is not there, or not so often.
    pub(crate) fn take(&mut self, hash: u128) -> bool {
        let Ok(at) = self.hashes.binary_search(&hash) else { return false };
        let is_left = self.left[at] > 0;
        self.left[at] -= u32::from(is_left);
        is_left
    }

    /// Whether each row was taken.
    pub(crate) fn is_used_up(&self) -> bool {
        self.left.iter().all(|left| *left == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn equal_rows_are_taken_as_often_as_they_are_there() {
        let mut part = Part::new(vec![7, 3, 7]);
        assert_eq!([7, 3, 5, 7, 7, 3].map(|hash| part.take(hash)), [true, true, false, true, false, false]);
        assert!(part.is_used_up());
        assert!(!Part::new(vec![1]).is_used_up());
    }
}
