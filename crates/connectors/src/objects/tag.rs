//! ETags that S3 makes from the content: an MD5, or one of the MD5s of parts with their number.

use md5::{Digest, Md5};

use super::upload::part_of;

/// Returns an ETag without its quotes, if it has the form of one that is made from the content.
pub(super) fn of_content(tag: &str) -> Option<String> {
    let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let (digest, parts) = bare.split_once('-').map_or((bare, None), |(digest, parts)| (digest, Some(parts)));
    let hex = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let counted = parts.is_none_or(|parts| parts.len() <= 5 && parts.parse::<u32>().is_ok_and(|parts| parts > 0));
    (hex && counted).then(|| bare.to_ascii_lowercase())
}

/// Makes the ETag that S3 would give to a content.
pub(super) struct Tagger {
    /// Bytes of a part; `None` for an object in one piece.
    part: Option<u64>,
    /// Bytes that the part still takes.
    room: u64,
    current: Md5,
    parts: Vec<u8>,
}

impl Tagger {
    /// Makes one for an object with such a tag; `None` if it went in parts that are not ours.
    pub(super) fn like(tag: &str, size: u64) -> Option<Self> {
        let part = match tag.split_once('-') {
            None => None,
            Some((_, parts)) => {
                let part = part_of(size);
                Some(part).filter(|part| parts.parse() == Ok(size.div_ceil(*part).max(1)))?.into()
            }
        };
        Some(Self { part, room: part.unwrap_or(u64::MAX), current: Md5::new(), parts: Vec::new() })
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.room == 0 {
                self.close();
            }
            let (now, later) = bytes.split_at(bytes.len().min(usize::try_from(self.room).unwrap_or(usize::MAX)));
            self.current.update(now);
            self.room -= now.len() as u64;
            bytes = later;
        }
    }

    /// Returns the tag.
    pub(super) fn finish(mut self) -> String {
        if self.part.is_none() {
            return hex(&self.current.finalize());
        }
        self.close();
        format!("{}-{}", hex(&Md5::digest(&self.parts)), self.parts.len() / 16)
    }

    fn close(&mut self) {
        let done = std::mem::replace(&mut self.current, Md5::new());
        self.parts.extend_from_slice(&done.finalize());
        self.room = self.part.unwrap_or(u64::MAX);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_made_from_content_count() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(of_content(&format!("\"{md5}\"")).as_deref(), Some(md5));
        assert_eq!(of_content(&format!("{}-12", md5.to_uppercase())), Some(format!("{md5}-12")));
        for other in ["W/\"d41d8cd98f00b204e9800998ecf8427e\"", "5f-18a-9c4e", "\"\"", "\"0x8DC\"", &format!("{md5}-x")]
        {
            assert_eq!(of_content(other), None, "{other}");
        }
    }

    #[test]
    fn tags_are_those_that_s3_makes() {
        let whole = Tagger::like("d41d8cd98f00b204e9800998ecf8427e", 0).expect("in one piece");
        assert_eq!(whole.finish(), "d41d8cd98f00b204e9800998ecf8427e");
        let size = 9 * 1024 * 1024;
        let content = vec![7; size];
        let mut tagger = Tagger::like("d41d8cd98f00b204e9800998ecf8427e-2", size as u64).expect("in our parts");
        content.chunks(1_000_003).for_each(|piece| tagger.update(piece));
        let parts = [&content[..8 << 20], &content[8 << 20..]].map(Md5::digest).concat();
        assert_eq!(tagger.finish(), format!("{}-2", hex(&Md5::digest(parts))));
        assert!(Tagger::like("d41d8cd98f00b204e9800998ecf8427e-3", size as u64).is_none(), "in other parts");
    }
}
