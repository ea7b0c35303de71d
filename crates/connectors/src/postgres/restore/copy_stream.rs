//! Rows in a COPY stream: taken apart, but never read. What a value means is the servers' business.

use super::error::RestoreError;

/// How rows travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As both servers hold them; the same types on both sides.
    Binary,
    /// As text, where types may differ inside.
    Text,
}

/// What a binary stream begins with: signature, flags, length of the header's extension.
pub(crate) const BINARY_HEAD: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(crate) const BINARY_TAIL: &[u8; 2] = b"\xff\xff";
/// The length of NULL.
const NULL: u32 = u32::MAX;

impl Form {
    /// Returns the word for COPY's option FORMAT.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
        }
    }

    /// Makes one stream of several; an empty one has no rows.
    pub(crate) fn joined<'s>(self, streams: impl Iterator<Item = &'s [u8]>) -> Vec<u8> {
        let (head, tail): (&[u8], &[u8]) = match self {
            Self::Binary => (BINARY_HEAD, BINARY_TAIL),
            Self::Text => (&[], &[]),
        };
        let mut joined = head.to_vec();
        for stream in streams {
            let rows = stream.len().checked_sub(tail.len()).and_then(|end| stream.get(head.len()..end));
            joined.extend_from_slice(rows.unwrap_or_default());
        }
        joined.extend_from_slice(tail);
        joined
    }
}

/// Cuts a stream of messages into rows; a message may hold several rows, or a part of one.
#[derive(Debug)]
pub(crate) struct Splitter {
    form: Form,
    headed: bool,
    ended: bool,
    rest: Vec<u8>,
}

impl Splitter {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, headed: form == Form::Text, ended: false, rest: Vec::new() }
    }

    /// Takes a message; calls `row` for each row that it completes, without line end or length of the row.
    pub(crate) fn feed(
        &mut self,
        message: &[u8],
        mut row: impl FnMut(&[u8]) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        if self.rest.is_empty() {
            let used = self.take(message, &mut row)?;
            self.rest.extend_from_slice(&message[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(message);
            let used = self.take(&joined, &mut row)?;
            joined.drain(..used);
            self.rest = joined;
        }
        Ok(())
    }

    /// Checks that the stream ended where a row ended.
    pub(crate) fn finish(&self) -> Result<(), RestoreError> {
        let whole = self.rest.is_empty() && (self.ended || self.form == Form::Text);
        if whole { Ok(()) } else { Err(RestoreError::Stream("it ended inside of a row")) }
    }

    fn take(
        &mut self,
        bytes: &[u8],
        row: &mut impl FnMut(&[u8]) -> Result<(), RestoreError>,
    ) -> Result<usize, RestoreError> {
        let mut at = 0;
        if !self.headed {
            if bytes.len() < BINARY_HEAD.len() {
                return Ok(0);
            }
            if bytes[..11] != BINARY_HEAD[..11] {
                return Err(RestoreError::Stream("it does not begin as a binary COPY does"));
            }
            let extension = number(&bytes[15..]).unwrap_or(0) as usize;
            at = BINARY_HEAD.len() + extension;
            if bytes.len() < at {
                return Ok(0);
            }
            self.headed = true;
        }
        while at < bytes.len() {
            let Some(length) = self.length(&bytes[at..])? else { break };
            match self.form {
                Form::Binary if self.ended => {}
                Form::Binary => row(&bytes[at..at + length])?,
                Form::Text => row(&bytes[at..at + length - 1])?,
            }
            at += length;
        }
        Ok(at)
    }

    /// Length of the row at the beginning of these bytes, its line end included; `None` if it is not all there.
    fn length(&mut self, bytes: &[u8]) -> Result<Option<usize>, RestoreError> {
        if self.form == Form::Text {
            return Ok(bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1));
        }
        let Some(count) = bytes.first_chunk::<2>().map(|count| i16::from_be_bytes(*count)) else { return Ok(None) };
        if count < 0 {
            self.ended = true;
            return Ok(Some(2));
        }
        let mut at = 2_usize;
        for _ in 0..count {
            let Some(length) = bytes.get(at..).and_then(number) else { return Ok(None) };
            at += 4 + if length == NULL { 0 } else { length as usize };
        }
        Ok((at <= bytes.len()).then_some(at))
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|number| u32::from_be_bytes(*number))
}

/// Where the values of a row lie.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// For each value: where it begins with its length or after its tab, where it itself begins, where it ends, and
    /// whether it is NULL.
    places: Vec<(usize, usize, usize, bool)>,
}

impl Fields {
    /// Finds the values of a row of a stream.
    pub(crate) fn find(&mut self, form: Form, row: &[u8]) -> Result<(), RestoreError> {
        self.places.clear();
        match form {
            Form::Binary => {
                let mut at = 2;
                while at < row.len() {
                    let length = number(&row[at..]).ok_or(RestoreError::Stream("a row is cut short"))?;
                    let begin = at + 4;
                    let end = begin + if length == NULL { 0 } else { length as usize };
                    if end > row.len() {
                        return Err(RestoreError::Stream("a row is cut short"));
                    }
                    self.places.push((at, begin, end, length == NULL));
                    at = end;
                }
            }
            Form::Text => {
                let mut at = 0;
                for field in row.split(|byte| *byte == b'\t') {
                    let end = at + field.len();
                    self.places.push((at, at, end, field == b"\\N"));
                    at = end + 1;
                }
            }
        }
        Ok(())
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns a value, without its length; `None` if it is NULL.
    pub(crate) fn value<'r>(&self, row: &'r [u8], at: usize) -> Option<&'r [u8]> {
        let (_, begin, end, null) = *self.places.get(at)?;
        if null { None } else { row.get(begin..end) }
    }

    /// Returns the bytes of values `from..to` as they travel, lengths or tabs between them included.
    pub(crate) fn span<'r>(&self, row: &'r [u8], from: usize, to: usize) -> &'r [u8] {
        if from >= to || to > self.places.len() {
            return &[];
        }
        &row[self.places[from].0..self.places[to - 1].2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut bytes = BINARY_HEAD.to_vec();
        for row in rows {
            bytes.extend((row.len() as i16).to_be_bytes());
            for value in *row {
                bytes.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
                bytes.extend(value.unwrap_or_default());
            }
        }
        bytes.extend(BINARY_TAIL);
        bytes
    }

    fn cut(form: Form, bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        let mut splitter = Splitter::new(form);
        for message in bytes.chunks(size) {
            let row = |row: &[u8]| {
                rows.push(row.to_vec());
                Ok(())
            };
            splitter.feed(message, row).expect("it is a stream");
        }
        splitter.finish().expect("it was made to be so");
        rows
    }

    #[test]
    fn rows_come_whole_however_messages_cut_them() {
        let bytes = binary(&[&[Some(b"a"), None, Some(b"")], &[Some(b"bcd"), Some(b"e"), None]]);
        let whole = cut(Form::Binary, &bytes, bytes.len());
        for size in 1..bytes.len() {
            assert_eq!(cut(Form::Binary, &bytes, size), whole, "messages of {size}");
        }
        let mut fields = Fields::default();
        fields.find(Form::Binary, &whole[0]).expect("it was made to be so");
        assert_eq!(fields.len(), 3);
        assert_eq!(
            (0..3).map(|at| fields.value(&whole[0], at)).collect::<Vec<_>>(),
            [Some(&b"a"[..]), None, Some(&b""[..])]
        );
        assert_eq!(fields.span(&whole[0], 1, 3), b"\xff\xff\xff\xff\0\0\0\0");
        let text = b"a\t\\N\n\n\tx\n";
        for size in 1..text.len() {
            assert_eq!(cut(Form::Text, text, size), [b"a\t\\N".to_vec(), vec![], b"\tx".to_vec()]);
        }
    }

    #[test]
    fn a_stream_that_ends_early_is_an_error() {
        let bytes = binary(&[&[Some(b"abc")]]);
        for end in 1..bytes.len() {
            let mut splitter = Splitter::new(Form::Binary);
            splitter.feed(&bytes[..end], |_| Ok(())).expect("it was made to be so");
            assert!(splitter.finish().is_err(), "cut at {end}");
        }
        let mut splitter = Splitter::new(Form::Binary);
        assert!(splitter.feed(b"this is no COPY at all", |_| Ok(())).is_err());
    }
}
